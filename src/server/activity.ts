export type ActivityState = "reading" | "loading" | "waiting" | "answering";

/** One request while it is answered, as /status shows it. */
export interface Activity {
  readonly id: string;
  /** Method and path of the route: `POST /v1/chat/completions`. */
  readonly route: string;
  /** Milliseconds since 1970. */
  readonly since: number;
  state: ActivityState;
  /** As the request named it. */
  model?: string;
  promptTokens: number;
  completionTokens: number;
  /** Ends the request's work. */
  readonly stop: AbortController;
}

/** How a request ended: answered, refused for what it asked, failed here, or left by its client. */
export type Outcome = "completed" | "refused" | "failed" | "cancelled";

export interface Totals extends Record<Outcome, number> {
  received: number;
  prompt_tokens: number;
  completion_tokens: number;
}

/** The requests that are being answered, and counts of those that were: `received` is the sum of all others and these. */
export class Activities {
  readonly totals: Totals = {
    received: 0,
    completed: 0,
    refused: 0,
    failed: 0,
    cancelled: 0,
    prompt_tokens: 0,
    completion_tokens: 0,
  };
  readonly #active = new Set<Activity>();
  #idle = Promise.withResolvers<void>();

  get active(): Activity[] {
    return [...this.#active];
  }

  begin(id: string, route: string, stop: AbortController): Activity {
    const activity: Activity = {
      id,
      route,
      since: Date.now(),
      state: "reading",
      promptTokens: 0,
      completionTokens: 0,
      stop,
    };
    this.#active.add(activity);
    this.totals.received += 1;
    return activity;
  }

  /** Counts a request's end, once: false when that was done. */
  end(activity: Activity, outcome: Outcome): boolean {
    if (!this.#active.delete(activity)) return false;
    this.totals[outcome] += 1;
    this.totals.prompt_tokens += activity.promptTokens;
    this.totals.completion_tokens += activity.completionTokens;
    if (this.#active.size === 0) {
      this.#idle.resolve();
      this.#idle = Promise.withResolvers();
    }
    return true;
  }

  /** Until nothing is answered. */
  async idle(): Promise<void> {
    if (this.#active.size > 0) await this.#idle.promise;
  }
}
