/** What the last cycle says about the next: half of it is forgotten each time, so two vain waits end the waiting. */
const MEMORY = 0.5;

/**
 * Whether a free encoder waits a moment for company. Callers who ask again as soon as they are answered would otherwise
 * fall apart: the first one back runs alone, the others queue behind it, and so on forever. It waits only where lately
 * other callers came within that moment while someone was there, and until as many are there as were before.
 *
 * Times are milliseconds of a clock that never goes back. A cycle begins when the encoder is free and a row waits.
 */
export class EncoderWindow {
  readonly #maxWaitMs: number;
  #openedAt = Number.NEGATIVE_INFINITY;
  /** Most callers at once, in this cycle and lately. */
  #peak = 0;
  #usual = 1;
  /** Did company come within the moment: in this cycle, and in which part of the cycles before. */
  #joined = false;
  #company = 0;

  constructor(maxWaitMs: number) {
    this.#maxWaitMs = maxWaitMs;
  }

  /** A caller has come; `callers` wait or are being answered now, with this one. */
  arrived(now: number, callers: number): void {
    this.#peak = Math.max(this.#peak, callers);
    if (callers > 1 && now - this.#openedAt <= this.#maxWaitMs) this.#joined = true;
  }

  /** The encoder is free, and `callers` wait for it. */
  opened(now: number, callers: number): void {
    this.#company = mix(this.#company, this.#joined ? 1 : 0);
    this.#usual = Math.max(this.#peak, mix(this.#usual, this.#peak));
    this.#openedAt = now;
    this.#peak = callers;
    this.#joined = false;
  }

  /** How long to wait still before the next run begins, while `callers` wait; 0 is not at all. */
  remainingMs(now: number, callers: number): number {
    if (this.#company < MEMORY || callers >= Math.floor(this.#usual)) return 0;
    return Math.max(0, this.#openedAt + this.#maxWaitMs - now);
  }
}

function mix(before: number, latest: number): number {
  return before * MEMORY + latest * (1 - MEMORY);
}
