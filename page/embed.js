import { ApiError, json } from "./api.js";
import { byId, element } from "./element.js";
import { counted, duration } from "./format.js";
import { modelChoice } from "./model-choice.js";
import { errorNotice } from "./notice.js";
import { loadIfAllowed, untilLoaded } from "./progress.js";

/** More rows than that are no table for people. */
const MAX_TEXTS = 24;

/** The view that compares texts. */
export function startEmbed() {
  const form = byId("embed-form", HTMLFormElement);
  const input = byId("embed-input", HTMLTextAreaElement);
  const [send, stop] = ["embed-send", "embed-stop"].map((id) => byId(id, HTMLButtonElement));
  const result = byId("embed-result");
  const choice = modelChoice("embed", "embeddings");
  /** @type {AbortController | undefined} */
  let running;
  if (input.value === "") input.value = EXAMPLE;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) return;
    const texts = input.value
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
    const model = choice.value();
    if (model === "") return choice.focus();
    if (texts.length < 2 || texts.length > MAX_TEXTS)
      return fail(
        `Write 2 to ${MAX_TEXTS} lines; there ${texts.length === 1 ? "is" : "are"} ${texts.length}.`,
      );
    const controller = new AbortController();
    running = controller;
    send.hidden = true;
    stop.hidden = false;
    const place = element("div", { class: "work" });
    result.replaceChildren(place);
    try {
      await loadIfAllowed(model, place, controller.signal);
      const started = performance.now();
      const body = { model, input: texts, encoding_format: "float" };
      const answer = await untilLoaded(
        () => json("/v1/embeddings", { body, signal: controller.signal }),
        place,
        controller.signal,
      );
      /** @type {number[][]} */
      const vectors = answer.data.map((/** @type {{ embedding: number[] }} */ one) => one.embedding);
      const facts = [
        `${counted(vectors[0].length, "number")} each`,
        counted(answer.usage.total_tokens, "token"),
        duration((performance.now() - started) / 1000),
      ];
      result.replaceChildren(
        heatTable(texts, vectors),
        element("p", { class: "muted", role: "status" }, facts.join(" · ")),
      );
    } catch (error) {
      if (controller.signal.aborted) result.replaceChildren();
      else if (error instanceof ApiError) fail(error.message);
      else throw error;
    } finally {
      running = undefined;
      send.hidden = false;
      stop.hidden = true;
    }
  });
  stop.addEventListener("click", () => running?.abort());

  /** @param {string} message */
  function fail(message) {
    result.replaceChildren(errorNotice(message));
  }

  return choice;
}

const EXAMPLE = `How do I reset my password?
I can't log in any more.
The train to Basel leaves at nine.
When does the next train go?`;

/**
 * @param {string[]} texts
 * @param {number[][]} vectors
 */
function heatTable(texts, vectors) {
  const numbers = texts.map((_, index) => element("th", { scope: "col", title: texts[index] }, index + 1));
  const rows = vectors.map((vector, row) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, element("span", { class: "number" }, row + 1), ` ${texts[row]}`),
      ...vectors.map((other) => heatCell(cosine(vector, other))),
    ),
  );
  return element(
    "div",
    { class: "wide", tabindex: 0, role: "region", "aria-label": "Similarities" },
    element(
      "table",
      { class: "heat" },
      element("caption", { class: "unseen" }, "Cosine similarity of each pair of texts"),
      element("thead", {}, element("tr", {}, element("td"), ...numbers)),
      element("tbody", {}, ...rows),
    ),
  );
}

/** @param {number} value */
function heatCell(value) {
  const cell = element("td", {}, value.toFixed(2));
  cell.style.setProperty("--heat", String(Math.max(0, Math.min(1, value))));
  return cell;
}

/**
 * @param {number[]} a
 * @param {number[]} b
 */
export function cosine(a, b) {
  let [dot, lengthA, lengthB] = [0, 0, 0];
  for (let index = 0; index < a.length; index += 1) {
    dot += a[index] * b[index];
    lengthA += a[index] ** 2;
    lengthB += b[index] ** 2;
  }
  const length = Math.sqrt(lengthA * lengthB);
  return length === 0 ? 0 : dot / length;
}
