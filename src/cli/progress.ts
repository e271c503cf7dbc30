import type { Ora } from "ora";
import type { NoticeEvent, ProgressEvent } from "../core/index.js";
import { isColoured, styled, terminalWidth } from "./style.js";
import { formatBytes, formatDuration } from "./units.js";

/** What is over sooner needs no spinner, and ora need not be loaded for it. */
const SPINNER_MS = 400;
/** Where nobody watches a bar move, a line now and then says that work goes on. */
const FIRST_LINE_MS = 3000;
const NEXT_LINE_MS = 15_000;
const WIDEST_BAR = 24;
const NARROWEST_BAR = 6;
const SHORTEST_TITLE = 20;

/** How far an answer is that is printed only when it is complete. Only a terminal is told. */
export interface ActivityEvent {
  type: "progress";
  phase: "answer";
  what: string;
  done: number;
  total?: undefined;
  unit: "tokens";
}

type ShownEvent = ProgressEvent | ActivityEvent;

const verbs = {
  resolve: "looking up",
  download: "downloading",
  convert: "building",
  load: "loading",
  export: "writing",
  measure: "measuring",
  answer: "making",
} as const satisfies Record<ShownEvent["phase"], string>;

/** Progress and notices on stderr: a line with a spinner on a terminal, a plain line now and then elsewhere. */
export class ProgressDisplay {
  readonly #stream: NodeJS.WriteStream;
  /** No progress and no notices. */
  readonly quiet: boolean;
  #spinner?: Ora;
  #spinnerTimer?: NodeJS.Timeout;
  /** What is going on; undefined when nothing is shown. */
  #text?: string;
  #phase?: ShownEvent["phase"];
  #speed = new SpeedMeter();
  #nextLine = 0;

  constructor({ stream, quiet }: { stream: NodeJS.WriteStream; quiet: boolean }) {
    this.#stream = stream;
    this.quiet = quiet;
  }

  /** Passes a command's events on, and shows the ones that are only about the way there. */
  async *follow<E extends { type: string }>(
    events: AsyncIterable<E>,
  ): AsyncGenerator<Exclude<E, { type: "progress" | "notice" }>> {
    try {
      for await (const event of events) {
        if (isNotice(event)) this.notice(event.message);
        else if (isProgress(event)) this.progress(event);
        else {
          this.clear();
          yield event as Exclude<E, { type: "progress" | "notice" }>;
        }
      }
    } finally {
      this.clear();
    }
  }

  progress(event: ShownEvent): void {
    if (this.quiet) return;
    const now = performance.now();
    if (event.phase !== this.#phase) {
      this.#phase = event.phase;
      this.#speed = new SpeedMeter();
      this.#nextLine = now + FIRST_LINE_MS;
    }
    this.#speed.add(event.done, now);
    if (this.#stream.isTTY && this.#spinner?.isEnabled !== false) {
      this.#spin(this.#line(event));
    } else if (event.phase !== "answer" && now >= this.#nextLine) {
      this.#nextLine = now + NEXT_LINE_MS;
      this.#stream.write(`${[verbs[event.phase], event.what, ...this.#facts(event)].join(" ")}\n`);
    }
  }

  notice(message: string): void {
    if (this.quiet) return;
    this.clear();
    this.#stream.write(`${styled("yellow", "note:", this.#stream)} ${message}\n`);
  }

  /** A plain line on stderr. */
  line(text: string): void {
    this.clear();
    this.#stream.write(`${text}\n`);
  }

  /** Takes the progress line away, so that something else can be printed. */
  clear(): void {
    clearTimeout(this.#spinnerTimer);
    this.#spinnerTimer = undefined;
    this.#text = undefined;
    // ora's stop puts the cursor at the start of the line, also when nothing spins.
    if (this.#spinner?.isSpinning) this.#spinner.stop();
  }

  #spin(text: string): void {
    this.#text = text;
    if (this.#spinner?.isSpinning) this.#spinner.text = text;
    else this.#spinnerTimer ??= setTimeout(() => this.#startSpinner(), SPINNER_MS);
  }

  async #startSpinner(): Promise<void> {
    const { default: ora } = await import("ora");
    this.#spinner ??= ora({
      stream: this.#stream,
      color: isColoured(this.#stream) ? "cyan" : false,
      // The terminal's input belongs to hfms: its Ctrl-C, and the questions of a conversation.
      discardStdin: false,
    });
    // On a terminal that can't move its cursor there is no spinner.
    if (this.#text !== undefined && this.#spinner.isEnabled) this.#spinner.start(this.#text);
  }

  #line(event: ShownEvent): string {
    // The last column stays free, so that the line never wraps; the spinner and a blank stand before it.
    const width = (terminalWidth(this.#stream) ?? 80) - 3;
    const facts = this.#facts(event).join("  ").slice(0, width);
    const room = width - (facts ? facts.length + 2 : 0);
    const title = room < SHORTEST_TITLE ? "" : shorten(`${verbs[event.phase]} ${event.what}`, room);
    const left = width - [title, facts, ""].filter((part, i) => part || i === 2).join("  ").length;
    const bar = isMeasured(event) && left >= NARROWEST_BAR ? drawBar(event.done / event.total, left) : "";
    return [title, bar && styled("cyan", bar, this.#stream), facts].filter(Boolean).join("  ");
  }

  #facts(event: ShownEvent): string[] {
    const { done, unit } = event;
    if (!isMeasured(event)) {
      const known = event.total ?? done;
      return known > 0 ? [unit === "bytes" ? formatBytes(known) : `${known} ${unit}`] : [];
    }
    const { total } = event;
    const facts = [
      `${Math.floor((100 * done) / total)}%`,
      unit === "bytes" ? ofTotal(formatBytes(done), formatBytes(total)) : `${done}/${total} ${unit}`,
    ];
    const speed = this.#speed.perSecond();
    if (speed && done < total) {
      if (unit === "bytes") facts.push(`${formatBytes(speed)}/s`);
      facts.push(`${formatDuration((total - done) / speed)} left`);
    }
    return facts;
  }
}

/** Is it known how much of it is done? Of a model that is opened only the size is. */
function isMeasured(event: ShownEvent): event is ShownEvent & { total: number } {
  return Boolean(event.total) && !(event.phase === "load" && event.done === 0);
}

/** Speed over the last seconds, so that a stall shows and a cached part doesn't count. */
class SpeedMeter {
  readonly #samples: { done: number; at: number }[] = [];

  add(done: number, at: number): void {
    const last = this.#samples.at(-1);
    if (last && at - last.at < 200) return;
    this.#samples.push({ done, at });
    while (this.#samples.length > 2 && at - this.#samples[0].at > 5000) this.#samples.shift();
  }

  perSecond(): number | undefined {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (!first || !last || last.at - first.at < 400) return undefined;
    return (1000 * (last.done - first.done)) / (last.at - first.at) || undefined;
  }
}

function drawBar(fraction: number, room: number): string {
  const width = Math.min(room, WIDEST_BAR);
  const filled = Math.round(Math.min(1, Math.max(0, fraction)) * width);
  return "━".repeat(filled) + "╌".repeat(width - filled);
}

/** "61.2/98.1 MB", and "980 kB/1.2 MB" where the units differ. */
function ofTotal(done: string, total: string): string {
  const unit = total.slice(total.indexOf(" "));
  return `${done.endsWith(unit) ? done.slice(0, -unit.length) : done}/${total}`;
}

function shorten(text: string, width: number): string {
  if (text.length <= width) return text;
  return `${text.slice(0, width - 1)}…`;
}

function isNotice(event: { type: string }): event is NoticeEvent {
  return event.type === "notice";
}

function isProgress(event: { type: string }): event is ShownEvent {
  return event.type === "progress";
}
