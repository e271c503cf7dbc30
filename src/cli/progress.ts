import type { NoticeEvent, ProgressEvent } from "../core/index.js";
import { styled, terminalWidth } from "./style.js";
import { formatBytes, formatDuration } from "./units.js";

const REDRAW_MS = 80;
/** Where nobody watches a bar move, a line now and then says that work goes on. */
const FIRST_LINE_MS = 3000;
const NEXT_LINE_MS = 15_000;
const WIDEST_BAR = 24;
const NARROWEST_BAR = 6;
const SHORTEST_TITLE = 20;

const verbs = {
  resolve: "looking up",
  download: "downloading",
  convert: "building",
  load: "loading",
} as const satisfies Record<ProgressEvent["phase"], string>;

/** Progress and notices on stderr: one line that redraws itself on a terminal, a plain line now and then elsewhere. */
export class ProgressDisplay {
  readonly #stream: NodeJS.WriteStream;
  readonly #quiet: boolean;
  #drawn = false;
  #phase?: ProgressEvent["phase"];
  #speed = new SpeedMeter();
  #nextDraw = 0;
  #nextLine = 0;

  constructor({ stream, quiet }: { stream: NodeJS.WriteStream; quiet: boolean }) {
    this.#stream = stream;
    this.#quiet = quiet;
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

  progress(event: ProgressEvent): void {
    if (this.#quiet) return;
    const now = performance.now();
    if (event.phase !== this.#phase) {
      this.#phase = event.phase;
      this.#speed = new SpeedMeter();
      this.#nextDraw = 0;
      this.#nextLine = now + FIRST_LINE_MS;
    }
    this.#speed.add(event.done, now);
    if (this.#stream.isTTY) {
      if (now < this.#nextDraw && event.done !== event.total) return;
      this.#nextDraw = now + REDRAW_MS;
      this.#draw(event);
    } else if (now >= this.#nextLine) {
      this.#nextLine = now + NEXT_LINE_MS;
      this.#stream.write(`${[verbs[event.phase], event.what, ...this.#facts(event)].join(" ")}\n`);
    }
  }

  notice(message: string): void {
    if (this.#quiet) return;
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
    if (!this.#drawn) return;
    this.#stream.write("\r\u001b[2K");
    this.#drawn = false;
  }

  #draw(event: ProgressEvent): void {
    // The last column stays free: a full line would wrap, and could not be taken away.
    const width = (terminalWidth(this.#stream) ?? 80) - 1;
    const facts = this.#facts(event).join("  ").slice(0, width);
    const room = width - (facts ? facts.length + 2 : 0);
    const title = room < SHORTEST_TITLE ? "" : shorten(`${verbs[event.phase]} ${event.what}`, room);
    const left = width - [title, facts, ""].filter((part, i) => part || i === 2).join("  ").length;
    const bar = event.total && left >= NARROWEST_BAR ? drawBar(event.done / event.total, left) : "";
    const parts = [title, bar && styled("cyan", bar, this.#stream), facts].filter(Boolean);
    this.#stream.write(`\r\u001b[2K${parts.join("  ")}`);
    this.#drawn = true;
  }

  #facts({ done, total, unit }: ProgressEvent): string[] {
    if (!total) return done > 0 ? [unit === "bytes" ? formatBytes(done) : `${done} tensors`] : [];
    const facts = [
      `${Math.floor((100 * done) / total)}%`,
      unit === "bytes" ? ofTotal(formatBytes(done), formatBytes(total)) : `${done}/${total} tensors`,
    ];
    const speed = this.#speed.perSecond();
    if (speed && done < total) {
      if (unit === "bytes") facts.push(`${formatBytes(speed)}/s`);
      facts.push(`${formatDuration((total - done) / speed)} left`);
    }
    return facts;
  }
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

function isProgress(event: { type: string }): event is ProgressEvent {
  return event.type === "progress";
}
