import { setTimeout as delay } from "node:timers/promises";
import { HfmsError } from "../core/index.js";
import type { Activities } from "./activity.js";

export type LifecycleState = "starting" | "ready" | "draining" | "stopped";

/** Of one server: when it takes requests, and how it ends. */
export class Lifecycle {
  readonly since = Date.now();
  readonly #activities: Activities;
  #state: LifecycleState = "starting";

  constructor(activities: Activities) {
    this.#activities = activities;
  }

  get state(): LifecycleState {
    return this.#state;
  }

  /** The models that were asked for at the start are loaded. */
  ready(): void {
    if (this.#state === "starting") this.#state = "ready";
  }

  /** Not ready from now on; what runs may end until `timeout` milliseconds are over, then it is stopped. */
  async drain(timeout: number): Promise<void> {
    if (this.#state !== "stopped") this.#state = "draining";
    const over = new AbortController();
    await Promise.race([
      this.#activities.idle(),
      delay(timeout, undefined, { signal: over.signal }).catch(() => {}),
    ]);
    over.abort();
    await this.stop();
  }

  /** Ends what runs, now. */
  async stop(): Promise<void> {
    this.#state = "stopped";
    for (const { stop } of this.#activities.active) {
      stop.abort(new HfmsError("overloaded", "the server stops", { hint: "try again later", retryAfter: 5 }));
    }
    await this.#activities.idle();
  }
}
