import { ApiError, json } from "./api.js";

/**
 * @typedef {object} RunningModel
 * @property {string} model
 * @property {string} [revision]
 * @property {string} dtype
 * @property {string} device
 * @property {"loading" | "ready" | "restarting" | "failed"} state
 * @property {string} [reason]
 * @property {number} [memory_bytes]
 * @property {number} in_use
 * @property {number} [keep_alive_until]
 * @property {boolean} pinned
 *
 * @typedef {object} ActiveRequest
 * @property {string} id
 * @property {string} route
 * @property {string} [model]
 * @property {string} state
 * @property {number} since
 * @property {number} prompt_tokens
 * @property {number} completion_tokens
 *
 * @typedef {object} Status
 * @property {"starting" | "ready" | "draining" | "stopped"} state
 * @property {string} version
 * @property {number} uptime_seconds
 * @property {{ active: ActiveRequest[], totals: Record<string, number> }} requests
 * @property {RunningModel[]} models
 * @property {{ rss_bytes: number, heap_bytes: number, event_loop_delay_p99_ms: number }} process
 *
 * @typedef {(status: Status | undefined, error: ApiError | undefined) => void} Listener
 */

const INTERVAL_MS = 2000;
const LONGEST_MS = 15_000;

/** @type {Set<Listener>} */
const listeners = new Set();
let failures = 0;
/** @type {number | undefined} */
let timer;

/**
 * Hears the server's status again and again, while the page can be seen.
 *
 * @param {Listener} listener
 */
export function watchStatus(listener) {
  listeners.add(listener);
}

/** Asks now, and from now on. A server that does not answer is asked less often. */
export async function refreshStatus() {
  clearTimeout(timer);
  if (document.hidden) return;
  try {
    const status = await json("/status");
    failures = 0;
    for (const listener of listeners) listener(status, undefined);
  } catch (error) {
    failures += 1;
    if (!(error instanceof ApiError)) throw error;
    for (const listener of listeners) listener(undefined, error);
  }
  clearTimeout(timer);
  timer = setTimeout(refreshStatus, Math.min(LONGEST_MS, INTERVAL_MS * 2 ** Math.min(failures, 4)));
}

document.addEventListener("visibilitychange", refreshStatus);
