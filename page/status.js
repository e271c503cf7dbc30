import { ApiError, json } from "./api.js";
import { byId, element } from "./element.js";
import { watchStatus } from "./feed.js";
import { bytes, count, duration } from "./format.js";
import { errorNotice } from "./notice.js";
import { sparkline } from "./sparkline.js";

/** @typedef {import("./feed.js").Status} Status */

const HARDWARE_MS = 5000;

/** The view of the server's load and of the machine. */
export function startStatus() {
  const view = byId("view-status");
  const place = byId("status-live");
  const rate = tokenRate();
  const history = sparkline();

  watchStatus((status, error) => {
    if (status) rate.add(status);
    history.add(rate.value);
    if (view.hidden) return;
    if (error) showError(place, error);
    if (status) place.replaceChildren(tiles(status, rate.value, history.element), activeTable(status));
  });

  const hardware = byId("status-hardware");
  const showHardware = async () => {
    if (!view.hidden && !document.hidden) {
      try {
        hardware.replaceChildren(...machine(await json("/v1/hardware", { quiet: true })));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        showError(hardware, error);
      }
    }
  };
  const again = async () => {
    await showHardware();
    setTimeout(again, HARDWARE_MS);
  };
  void again();
  return { shown: showHardware };
}

/**
 * Once, however often it happens: it is read out.
 *
 * @param {HTMLElement} place
 * @param {ApiError} error
 */
function showError(place, { message }) {
  if (place.dataset.error === message && place.querySelector(".error")) return;
  place.dataset.error = message;
  place.replaceChildren(errorNotice(message));
}

/** Tokens per second between two looks at the counts. */
function tokenRate() {
  /** @type {{ tokens: number, time: number } | undefined} */
  let before;
  return {
    value: 0,
    /** @param {Status} status */
    add({ requests: { active, totals } }) {
      const tokens = active.reduce((sum, one) => sum + one.completion_tokens, totals.completion_tokens);
      const time = performance.now();
      if (before && time > before.time)
        this.value = Math.max(0, (tokens - before.tokens) * 1000) / (time - before.time);
      before = { tokens, time };
    },
  };
}

/**
 * @param {Status} status
 * @param {number} rate
 * @param {Element} line the last minutes of that rate
 */
function tiles(
  { state, version, uptime_seconds, requests: { active, totals }, models, process },
  rate,
  line,
) {
  const memory = models.reduce((sum, { memory_bytes = 0 }) => sum + memory_bytes, 0);
  const [speed] = tile("Tokens per second", rate.toFixed(rate < 10 ? 1 : 0));
  speed.className = "broad";
  speed.append(element("dd", { class: "spark" }, line));
  return element(
    "dl",
    { class: "tiles" },
    speed,
    ...tile("Requests now", count(active.filter(isWork).length)),
    ...tile(
      "Requests answered",
      count(totals.completed),
      `${count(totals.refused)} refused, ${count(totals.failed)} failed, ${count(totals.cancelled)} left`,
    ),
    ...tile("Tokens", count(totals.completion_tokens), `written; ${count(totals.prompt_tokens)} read`),
    ...tile("Models", bytes(memory), `in ${count(models.length)} of them`),
    ...tile(
      "Server",
      bytes(process.rss_bytes),
      `its loop waits ${process.event_loop_delay_p99_ms.toFixed(1)} ms (p99)`,
    ),
    ...tile("Up for", duration(uptime_seconds), `${state}, version ${version}`),
  );
}

/**
 * @param {string} name
 * @param {string} value
 * @param {string} [more]
 */
function tile(name, value, more) {
  return [
    element(
      "div",
      {},
      element("dt", {}, name),
      element("dd", {}, value),
      more !== undefined && element("dd", { class: "muted" }, more),
    ),
  ];
}

/**
 * The page's own questions are requests too.
 *
 * @param {import("./feed.js").ActiveRequest} request
 */
function isWork({ route }) {
  return route.startsWith("POST ");
}

/** @param {Status} status */
function activeTable({ requests: { active } }) {
  const others = active.filter(isWork);
  if (others.length === 0) return element("p", { class: "muted" }, "Nothing is being answered.");
  const rows = others.map(({ route, model = "", state, since, prompt_tokens, completion_tokens }) =>
    element(
      "tr",
      {},
      element("td", {}, route),
      element("td", {}, model),
      element("td", {}, state),
      element("td", { class: "number" }, duration((Date.now() - since) / 1000)),
      element("td", { class: "number" }, `${count(prompt_tokens)} + ${count(completion_tokens)}`),
    ),
  );
  const heads = ["Request", "Model", "State", "Since", "Tokens"].map((text) =>
    element("th", { scope: "col" }, text),
  );
  return element(
    "div",
    { class: "wide", tabindex: 0, role: "region", "aria-label": "Requests that are being answered" },
    element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows)),
  );
}

/**
 * @typedef {object} Device
 * @property {string} name
 * @property {number} [memoryTotal]
 * @property {number} [memoryFree]
 * @property {number} [load]
 *
 * @typedef {object} Hardware
 * @property {string} platform
 * @property {string} arch
 * @property {{ name: string, cores: number, threads: number, instructionSets: string[] }} cpu
 * @property {{ total: number, free: number, limitedBy: "machine" | "cgroup" }} memory
 * @property {{ name: string, version: string }} runtime
 * @property {{ backend: string, title: string, devices: Device[], usable: boolean, reason: string }[]} backends
 * @property {{ device: string, reason: string }} selected
 */

/** @param {Hardware} report */
function machine({ platform, arch, cpu, memory, runtime, backends, selected }) {
  const used = memory.total - memory.free;
  const load = backends.find(({ backend }) => backend === "cpu")?.devices[0]?.load;
  return [
    element(
      "dl",
      { class: "tiles" },
      ...gauge(
        "Processor",
        load,
        load === undefined ? "" : `${Math.round(load * 100)} %`,
        `${cpu.name}, ${cpu.cores} cores, ${cpu.threads} threads`,
      ),
      ...gauge(
        "Memory",
        used / memory.total,
        bytes(used),
        `of ${bytes(memory.total)}, ${memory.limitedBy === "cgroup" ? "the container's limit" : "all of the machine's"}`,
      ),
      ...tile("Chosen device", selected.device, selected.reason),
      ...tile("Runtime", `${runtime.name} ${runtime.version}`, `${platform} ${arch}`),
    ),
    element("ul", { class: "backends" }, ...backends.map(backendItem)),
  ];
}

/**
 * @param {string} name
 * @param {number | undefined} share
 * @param {string} value
 * @param {string} more
 */
function gauge(name, share, value, more) {
  const [made] = tile(name, value || "unknown", more);
  if (share !== undefined) {
    const bar = element(
      "meter",
      { min: 0, max: 1, high: 0.9, value: share.toFixed(3), "aria-label": name },
      value,
    );
    made.append(element("dd", {}, bar));
  }
  return [made];
}

/** @param {Hardware["backends"][number]} backend */
function backendItem({ title, devices, usable, reason }) {
  const named = devices.map(({ name, memoryTotal }) =>
    memoryTotal ? `${name}, ${bytes(memoryTotal)}` : name,
  );
  return element(
    "li",
    {},
    element("strong", {}, title),
    element("span", { class: usable ? "tag good" : "tag" }, usable ? "usable" : "not usable"),
    element("p", { class: "muted" }, [named.join("; "), reason].filter(Boolean).join(". ")),
  );
}
