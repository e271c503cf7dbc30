import type { ProgressEvent } from "../core/index.js";

/** Clients take no longer wait from a server: the official ones ignore more than a minute. */
const MAX_WAIT_S = 60;
/** Sooner, nothing is different. */
const MIN_WAIT_S = 0.25;

/** One load as it is seen from outside, and how long it may still take. */
export class LoadProgress {
  /** Something was heard of it: it is no model that is there already. */
  readonly begun: Promise<void>;
  readonly #now: () => number;
  readonly #start: number;
  /** Of the file or phase that is worked on: the first and the last that was heard of it. */
  #first?: Heard;
  #last?: Heard;
  readonly #begin: () => void;

  constructor(now: () => number = () => performance.now()) {
    ({ promise: this.begun, resolve: this.#begin } = Promise.withResolvers<void>());
    this.#now = now;
    this.#start = now();
  }

  hear(event: ProgressEvent): void {
    const heard = { event, at: this.#now() };
    const before = this.#last?.event;
    if (before?.phase !== event.phase || before.what !== event.what) this.#first = heard;
    this.#last = heard;
    this.#begin();
  }

  /**
   * Seconds after which to ask again. What has a pace ends when the rest of it is done at that pace; what has none is
   * given as long again as it has taken, so that those who come back do so ever more rarely.
   */
  get secondsLeft(): number {
    const now = this.#now();
    const [first, last] = [this.#first, this.#last];
    let left = now - this.#start;
    if (first && last?.event.total !== undefined && last.event.done > first.event.done) {
      const pace = (last.event.done - first.event.done) / Math.max(last.at - first.at, 1);
      left = Math.max((last.event.total - last.event.done) / pace - (now - last.at), 0);
    }
    return Math.min(Math.max(left / 1000, MIN_WAIT_S), MAX_WAIT_S);
  }
}

interface Heard {
  event: ProgressEvent;
  /** Milliseconds. */
  at: number;
}
