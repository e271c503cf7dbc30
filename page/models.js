import { ApiError, json } from "./api.js";
import { byId, element } from "./element.js";
import { refreshStatus, watchStatus } from "./feed.js";
import { bytes, count, duration } from "./format.js";
import { errorNotice, quietButton } from "./notice.js";
import { loadModel } from "./progress.js";
import { showRows } from "./rows.js";

/** @typedef {import("./feed.js").RunningModel} RunningModel */
/** @typedef {import("./model-choice.js").KnownModel} KnownModel */

/** The view of the models: those in memory, and those that can be named. */
export function startModels() {
  const work = byId("models-work");
  const running = byId("models-running");
  const known = byId("models-known");
  const filter = byId("models-filter", HTMLInputElement);
  /** @type {KnownModel[]} */
  let models = [];

  /** @param {string} model */
  const load = async (model) => {
    const controller = new AbortController();
    const cancel = quietButton("Cancel", () => controller.abort());
    const place = element("div", { class: "work" });
    const shown = element("div", { class: "job" }, place, cancel);
    work.append(shown);
    try {
      const ready = await loadModel(model, place, controller.signal);
      if (ready)
        say(
          shown,
          `${ready.model} is in memory: ${ready.dtype} on ${ready.device}, after ${duration(ready.load_ms / 1000)}.`,
        );
      await refreshStatus();
    } catch (error) {
      if (controller.signal.aborted) shown.remove();
      else fail(shown, error);
    }
  };

  /**
   * @param {string} model
   * @param {HTMLButtonElement} button
   */
  const unload = async (model, button) => {
    button.disabled = true;
    const shown = element("div", { class: "job" });
    work.append(shown);
    try {
      await json("/models/unload", { body: { model } });
      say(shown, `${model} is no longer in memory.`);
      byId("models-title").focus();
      await refreshStatus();
    } catch (error) {
      fail(shown, error);
    } finally {
      button.disabled = false;
    }
  };

  const showKnown = () => {
    const wanted = filter.value.trim().toLowerCase();
    const matching = models.filter(({ id }) => id.toLowerCase().includes(wanted));
    showRows(known, matching, {
      key: ({ id }) => id,
      make: (model) => knownRow(model, (button) => withBusy(button, () => load(model.id))),
      update: updateKnown,
    });
    byId("models-known-title").textContent = `Known (${count(models.length)})`;
  };

  filter.addEventListener("input", showKnown);

  byId("load-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    const input = byId("load-model", HTMLInputElement);
    const model = input.value.trim();
    if (model === "") return;
    input.value = "";
    void load(model);
  });

  watchStatus((status) => {
    if (!status) return;
    showRows(running, status.models, {
      key: ({ model, dtype, device, revision }) => [model, dtype, device, revision].join(" "),
      make: (model) => runningRow(model, (button) => unload(model.model, button)),
      update: updateRunning,
    });
    if (status.models.length === 0)
      running.replaceChildren(
        element("p", { class: "muted" }, "None. The first request for a model loads it."),
      );
  });

  return {
    /** @param {KnownModel[]} found */
    show(found) {
      models = found;
      showKnown();
    },
  };
}

/**
 * @param {HTMLButtonElement} button
 * @param {() => Promise<void>} work
 */
async function withBusy(button, work) {
  button.disabled = true;
  await work();
  button.disabled = false;
}

/**
 * @param {HTMLElement} place
 * @param {string} text
 */
function say(place, text) {
  place.replaceChildren(element("p", { class: "notice", role: "status" }, text));
  setTimeout(() => place.remove(), 15_000);
}

/**
 * @param {HTMLElement} place
 * @param {unknown} error
 */
function fail(place, error) {
  if (!(error instanceof ApiError)) throw error;
  place.replaceChildren(
    errorNotice(
      error.message,
      quietButton("Close", () => place.remove()),
    ),
  );
}

/**
 * @param {RunningModel} model
 * @param {(button: HTMLButtonElement) => void} unload
 */
function runningRow({ model }, unload) {
  const button = element(
    "button",
    { type: "button", class: "quiet", "aria-label": `Unload ${model}` },
    "Unload",
  );
  button.addEventListener("click", () => unload(button));
  return element(
    "div",
    { class: "entry" },
    element("h3", {}, model),
    element("p", { class: "facts" }),
    button,
  );
}

/**
 * @param {HTMLElement} row
 * @param {RunningModel} model
 */
function updateRunning(
  row,
  { state, reason, dtype, device, memory_bytes, in_use, pinned, keep_alive_until },
) {
  const words = { ready: "ready", loading: "being loaded", restarting: "restarting", failed: "failed" };
  const facts = [
    words[state],
    reason,
    `${dtype} on ${device}`,
    memory_bytes !== undefined && bytes(memory_bytes),
    in_use > 0 && `${count(in_use)} in use`,
    pinned ? "stays" : keep_alive_until !== undefined && `until ${clock(keep_alive_until)}`,
  ];
  write(row, facts);
  row.dataset.state = state;
}

/** @param {number} time */
function clock(time) {
  return new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

/**
 * @param {KnownModel} model
 * @param {(button: HTMLButtonElement) => void} load
 */
function knownRow({ id }, load) {
  const button = element("button", { type: "button", class: "quiet", "aria-label": `Load ${id}` }, "Load");
  button.addEventListener("click", () => load(button));
  return element("div", { class: "entry" }, element("h3", {}, id), element("p", { class: "facts" }), button);
}

/**
 * @param {HTMLElement} row
 * @param {KnownModel} model
 */
function updateKnown(row, { capabilities = [], status, size, max_model_len, dtype, device }) {
  write(row, [
    capabilities.join(", "),
    max_model_len !== undefined && `reads ${count(max_model_len)} tokens`,
    size !== undefined && bytes(size),
    dtype && device && `${dtype} on ${device}`,
    status,
  ]);
  const button = row.querySelector("button");
  if (button) button.hidden = status === "loaded" || status === "loading";
}

/**
 * Only what is different is written, so that a selection stays.
 *
 * @param {HTMLElement} row
 * @param {(string | false | null | undefined)[]} facts
 */
function write(row, facts) {
  const text = facts.filter(Boolean).join(" · ");
  const place = row.querySelector(".facts");
  if (place && place.textContent !== text) place.textContent = text;
}
