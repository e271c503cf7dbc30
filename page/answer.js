import { element } from "./element.js";
import { count, counted, duration } from "./format.js";
import { blocksOf, copyText, showBlocks } from "./markdown.js";
import { errorNotice, quietButton } from "./notice.js";

/**
 * @typedef {object} Ending
 * @property {string} [reason] the server's finish_reason, or `stopped` by the user
 * @property {{ prompt_tokens: number, completion_tokens: number }} [usage]
 */

/**
 * One answer as it grows, an item of the conversation.
 *
 * @param {string} model
 */
export function answerItem(model) {
  const place = element("div", { class: "work" });
  const thinking = element("summary", {}, "Thinking…");
  const thought = element("div", { class: "thought" });
  const reasoning = element("details", { class: "reasoning", hidden: true }, thinking, thought);
  const body = element("div", { class: "text" });
  const foot = element("p", { class: "foot" });
  const item = element(
    "li",
    { class: "answer" },
    element("h2", { class: "who" }, model),
    place,
    reasoning,
    body,
    foot,
  );
  let started = performance.now();
  let [text, thoughts] = ["", ""];
  /** @type {number | undefined} */
  let first;
  /** @type {number | undefined} */
  let frame;
  const draw = () => {
    frame = undefined;
    showBlocks(body, blocksOf(text));
    reasoning.hidden = thoughts.trim() === "";
    thought.textContent = thoughts.trim();
  };
  const grow = () => {
    first ??= performance.now();
    frame ??= requestAnimationFrame(draw);
  };
  return {
    item,
    /** Where progress is shown before the answer begins. */
    place,
    get text() {
      return text;
    },
    /** The model is loaded: from now on it is the answer that takes time. */
    begin() {
      started = performance.now();
    },
    /** @param {string} more */
    addText(more) {
      if (text === "" && thoughts !== "") thinking.textContent = `Thought for ${duration(since(first))}`;
      text += more;
      grow();
    },
    /** @param {string} more */
    addReasoning(more) {
      thoughts += more;
      grow();
    },
    /** @param {Ending} ending */
    finish({ reason, usage }) {
      if (frame !== undefined) cancelAnimationFrame(frame);
      draw();
      if (thoughts !== "" && text === "") thinking.textContent = "Thoughts, and no answer";
      const copy = element("button", { type: "button", class: "quiet small" }, "Copy");
      copy.addEventListener("click", () => copyText(text, copy));
      const facts = [
        reason === "stopped" && "stopped",
        reason === "length" && "cut off: the limit of tokens was reached",
        usage && counted(usage.completion_tokens, "token"),
        usage && speed(usage.completion_tokens, since(first)),
        first !== undefined && `first after ${duration((first - started) / 1000)}`,
        usage && `${count(usage.prompt_tokens)} in the prompt`,
      ].filter((fact) => typeof fact === "string");
      foot.replaceChildren(element("span", {}, facts.join(" · ")), copy);
    },
    /** @param {{ message: string, again(): void }} failure */
    fail({ message, again }) {
      if (frame !== undefined) cancelAnimationFrame(frame);
      draw();
      foot.replaceWith(errorNotice(message, quietButton("Try again", again)));
    },
  };
}

/** @param {number | undefined} start */
function since(start) {
  return start === undefined ? 0 : (performance.now() - start) / 1000;
}

/**
 * The first token is there when the clock starts.
 *
 * @param {number} tokens
 * @param {number} seconds
 */
function speed(tokens, seconds) {
  return tokens > 1 && seconds > 0 && `${((tokens - 1) / seconds).toFixed(1)} tokens/s`;
}
