import { HfmsError } from "../errors.js";

export interface StopResult {
  /** What may be printed. Nothing of a stop string, nor of what could become one. */
  text: string;
  /** A stop string was found; everything after it is ignored. */
  stopped: boolean;
  /** The stop string that was found. */
  stop?: string;
}

/**
 * Finds stop strings in streamed text, also across the borders of its pieces. The one that is complete first wins,
 * and of several that end there the longest. Text that could be the beginning of a stop string is held back.
 */
export class StopMatcher {
  readonly #stops: readonly string[];
  readonly #longest: number;
  #held = "";
  #found: string | undefined;

  constructor(stops: readonly string[]) {
    if (stops.some((stop) => stop === "")) {
      throw new HfmsError("invalid_request", "a stop string is empty", { param: "stop" });
    }
    this.#stops = [...new Set(stops)];
    this.#longest = Math.max(0, ...stops.map((stop) => stop.length));
  }

  get stopped(): boolean {
    return this.#found !== undefined;
  }

  push(text: string): StopResult {
    if (this.#found !== undefined) return { text: "", stopped: true, stop: this.#found };
    if (this.#stops.length === 0) return { text, stopped: false };
    const whole = this.#held + text;
    const hit = this.#first(whole);
    if (hit) {
      this.#held = "";
      this.#found = hit.stop;
      return { text: whole.slice(0, hit.start), stopped: true, stop: hit.stop };
    }
    const end = this.#possibleStart(whole);
    this.#held = whole.slice(end);
    return { text: whole.slice(0, end), stopped: false };
  }

  /** What was held back, when no more text comes. */
  flush(): string {
    const text = this.#held;
    this.#held = "";
    return text;
  }

  #first(text: string): { start: number; stop: string } | undefined {
    let best: { start: number; stop: string } | undefined;
    for (const stop of this.#stops) {
      const start = text.indexOf(stop);
      if (start < 0) continue;
      const end = start + stop.length;
      const bestEnd = best ? best.start + best.stop.length : Number.POSITIVE_INFINITY;
      if (end < bestEnd || (end === bestEnd && start < best!.start)) best = { start, stop };
    }
    return best;
  }

  /** First position from which the rest of the text is the beginning of a stop string. */
  #possibleStart(text: string): number {
    for (let start = Math.max(0, text.length - this.#longest + 1); start < text.length; start++) {
      const rest = text.slice(start);
      if (this.#stops.some((stop) => stop.startsWith(rest))) return start;
    }
    return text.length;
  }
}
