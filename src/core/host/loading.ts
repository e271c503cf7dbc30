import { HfmsError, throwIfAborted } from "../errors.js";
import type { NoticeEvent, ProgressEvent } from "../requests.js";

export type LoadingEvent = NoticeEvent | ProgressEvent;

/**
 * Work that many callers wait for at once: each sees all notices and the latest progress, and gets the result. When
 * the last of them has lost interest the work is stopped, unless it was begun for its own sake.
 */
export class Loading<R> {
  readonly result: Promise<R>;
  readonly #abort = new AbortController();
  readonly #ownSake: boolean;
  readonly #notices: NoticeEvent[] = [];
  #progress: ProgressEvent | undefined;
  #settled = false;
  #followers = 0;
  #changed = Promise.withResolvers<void>();

  constructor(
    work: (report: (event: LoadingEvent) => void, signal: AbortSignal) => Promise<R>,
    { ownSake = false }: { ownSake?: boolean } = {},
  ) {
    this.#ownSake = ownSake;
    this.result = work((event) => this.#report(event), this.#abort.signal).finally(() => {
      this.#settled = true;
      this.#tell();
    });
    // Followers hear of a failure; without one nobody has to.
    this.result.catch(() => {});
  }

  /** It was stopped, and will end with `aborted`: nobody should begin to follow it. */
  get stopped(): boolean {
    return this.#abort.signal.aborted;
  }

  async *follow(signal?: AbortSignal): AsyncGenerator<LoadingEvent, R> {
    throwIfAborted(signal);
    const { promise: aborted, resolve: stop } = Promise.withResolvers<void>();
    signal?.addEventListener("abort", () => stop(), { once: true });
    this.#followers++;
    try {
      let seen = 0;
      let progress: ProgressEvent | undefined;
      for (;;) {
        throwIfAborted(signal);
        const changed = this.#changed.promise;
        if (seen < this.#notices.length) yield this.#notices[seen++];
        else if (this.#progress && this.#progress !== progress) yield (progress = this.#progress);
        else if (this.#settled) return await this.result;
        else await Promise.race([changed, aborted]);
      }
    } finally {
      stop();
      if (--this.#followers === 0 && !this.#ownSake) this.stop();
    }
  }

  stop(): void {
    if (!this.#settled) this.#abort.abort(new HfmsError("aborted", "stopped"));
  }

  #report(event: LoadingEvent): void {
    if (event.type === "notice") this.#notices.push(event);
    else this.#progress = event;
    this.#tell();
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
