import { ApiError, events } from "./api.js";
import { element } from "./element.js";
import { bytes, count } from "./format.js";

/**
 * @typedef {{ type: "progress", phase: "resolve" | "download" | "convert" | "load", what: string, done: number, total?: number, unit: "bytes" | "tensors" }} Progress
 * @typedef {{ type: "ready", model: string, device: string, dtype: string, load_ms: number }} Ready
 */

/**
 * Loads a model and shows how far it is in an element that stands in `place` meanwhile. Throws ApiError.
 *
 * @param {string} model
 * @param {HTMLElement} place
 * @param {AbortSignal} [signal]
 * @returns {Promise<Ready | undefined>}
 */
export async function loadModel(model, place, signal) {
  const bar = element("progress", { "aria-label": `Loading ${model}` });
  const label = element("span", {}, `Loading ${model}`);
  const shown = element("div", { class: "loading" }, label, bar);
  place.append(shown);
  try {
    for await (const event of events("/models/load", { body: { model, stream: true }, signal })) {
      if (event.type === "ready") return event;
      if (event.type === "progress") show(event, model, label, bar);
    }
    return undefined;
  } finally {
    shown.remove();
  }
}

const phases = {
  resolve: "Looking up",
  download: "Downloading",
  convert: "Building the graph of",
  load: "Loading",
};

/**
 * @param {Progress} progress
 * @param {string} model
 * @param {HTMLElement} label
 * @param {HTMLProgressElement} bar
 */
function show({ phase, what, done, total, unit }, model, label, bar) {
  const far =
    unit === "bytes"
      ? `${bytes(done)} of ${bytes(total ?? 0)}`
      : `${count(done)} of ${count(total ?? 0)} tensors`;
  label.textContent = `${phases[phase] ?? "Loading"} ${what || model}${total ? `: ${far}` : ""}`;
  if (total) {
    bar.max = total;
    bar.value = done;
  } else {
    bar.removeAttribute("value");
  }
}

/**
 * Loads a model with visible progress where the key allows it; otherwise the request itself will load it.
 *
 * @param {string} model
 * @param {HTMLElement} place
 * @param {AbortSignal} signal
 */
export async function loadIfAllowed(model, place, signal) {
  try {
    await loadModel(model, place, signal);
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 403) throw error;
  }
}

const PATIENCE_MS = 2000;

/**
 * Asks again as long as the server answers that the model is being loaded.
 *
 * @template T
 * @param {() => Promise<T>} attempt
 * @param {HTMLElement} place
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
export async function untilLoaded(attempt, place, signal) {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== "model_loading") throw error;
      place.textContent = error.message;
      await new Promise((resolve) => setTimeout(resolve, (error.retryAfter ?? 0) * 1000 || PATIENCE_MS));
      place.textContent = "";
      signal.throwIfAborted();
    }
  }
}
