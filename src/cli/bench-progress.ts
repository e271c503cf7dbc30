import { type BenchRunEvent, caseName } from "../core/index.js";
import { styled, terminalWidth } from "./style.js";

/**
 * Says on stderr what is being measured: on a terminal one line that changes from run to run, elsewhere a line a case.
 * Nothing is drawn while a run is timed: a spinner would take its part of a core.
 */
export class BenchProgress {
  readonly #stream: NodeJS.WriteStream;
  readonly #quiet: boolean;
  #drawn = false;

  constructor({ stream, quiet }: { stream: NodeJS.WriteStream; quiet: boolean }) {
    this.#stream = stream;
    this.#quiet = quiet;
  }

  show(event: BenchRunEvent): void {
    if (this.#quiet) return;
    const name = caseName(event.case);
    if (!this.#stream.isTTY) {
      if (event.run === 1) this.#stream.write(`measuring ${name}\n`);
      return;
    }
    this.clear();
    const share = `${Math.floor((100 * event.done) / Math.max(1, event.total))}%`;
    const facts = `run ${event.run} of ${event.runs}  ${share}`;
    const room = (terminalWidth(this.#stream) ?? 80) - 1 - facts.length - 2;
    const title = name.length <= room ? name : `${name.slice(0, Math.max(0, room - 1))}…`;
    this.#stream.write(`${title}  ${styled("dim", facts, this.#stream)}`);
    this.#drawn = true;
  }

  clear(): void {
    if (!this.#drawn) return;
    this.#stream.write("\r\u001b[2K");
    this.#drawn = false;
  }
}
