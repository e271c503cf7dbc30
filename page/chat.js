import { answerItem } from "./answer.js";
import { ApiError, events } from "./api.js";
import { byId, element } from "./element.js";
import { modelChoice } from "./model-choice.js";
import { loadIfAllowed } from "./progress.js";

/** @typedef {{ role: "user" | "assistant", content: string }} Message */

/** The view in which people talk with a model. */
export function startChat() {
  const form = byId("chat-form", HTMLFormElement);
  const input = byId("chat-input", HTMLTextAreaElement);
  const [send, stop, fresh] = ["chat-send", "chat-stop", "chat-new"].map((id) => byId(id, HTMLButtonElement));
  const list = byId("chat-messages", HTMLOListElement);
  const scroll = byId("chat-scroll");
  const live = byId("chat-live");
  const choice = modelChoice("chat", "chat");
  /** @type {Message[]} */
  let messages = [];
  /** @type {AbortController | undefined} */
  let running;

  // Reachable by keyboard, so that it can be scrolled without a mouse.
  scroll.tabIndex = 0;
  const settings = byId("chat-settings", HTMLDetailsElement);
  const beside = matchMedia("(min-width: 60rem)");
  settings.open = beside.matches;

  const follow = followEnd(scroll);
  new ResizeObserver(follow).observe(list);

  /** @param {boolean} busy */
  const setBusy = (busy) => {
    const focused = document.activeElement === send || document.activeElement === stop;
    send.hidden = busy;
    stop.hidden = !busy;
    if (focused) (busy ? stop : send).focus();
    byId("chat-empty").hidden = list.children.length > 0;
    fresh.hidden = list.children.length === 0;
  };

  /** Answers the conversation as it is. */
  const answer = async () => {
    const model = choice.value();
    const controller = new AbortController();
    running = controller;
    const shown = answerItem(model);
    list.append(shown.item);
    setBusy(true);
    live.textContent = `${model} answers.`;
    try {
      await loadIfAllowed(model, shown.place, controller.signal);
      shown.begin();
      const ending = await receive(shown, { model, messages, signal: controller.signal });
      messages.push({ role: "assistant", content: shown.text });
      shown.finish(ending);
      live.textContent = `Answer: ${shown.text}`;
    } catch (error) {
      if (controller.signal.aborted) {
        if (shown.text !== "") messages.push({ role: "assistant", content: shown.text });
        shown.finish({ reason: "stopped" });
        live.textContent = "Stopped.";
      } else if (error instanceof ApiError) {
        const again = () => {
          if (running) return;
          shown.item.remove();
          input.focus();
          void answer();
        };
        shown.fail({ message: explained(error), again });
        live.textContent = "";
      } else {
        throw error;
      }
    } finally {
      if (running === controller) {
        running = undefined;
        setBusy(false);
      }
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (running || text === "") return;
    if (choice.value() === "") {
      choice.focus();
      return;
    }
    messages.push({ role: "user", content: text });
    list.append(
      element(
        "li",
        { class: "asked" },
        element("h2", { class: "who unseen" }, "You"),
        element("p", {}, text),
      ),
    );
    input.value = "";
    // Above the conversation they take its room.
    if (!beside.matches) settings.open = false;
    follow({ always: true });
    void answer();
  });

  input.addEventListener("keydown", (event) => {
    // Enter that ends the composing of a character is none.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });

  stop.addEventListener("click", () => running?.abort());

  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !byId("view-chat").hidden) running?.abort();
  });

  fresh.addEventListener("click", () => {
    running?.abort();
    running = undefined;
    messages = [];
    list.replaceChildren();
    setBusy(false);
    input.focus();
  });

  return choice;
}

/**
 * @param {ReturnType<typeof answerItem>} shown
 * @param {{ model: string, messages: Message[], signal: AbortSignal }} conversation
 * @returns {Promise<import("./answer.js").Ending>}
 */
async function receive(shown, { model, messages, signal }) {
  /** @type {import("./answer.js").Ending} */
  const ending = {};
  const body = { ...requestOf(model, messages), stream: true, stream_options: { include_usage: true } };
  for await (const { choices, usage } of events("/v1/chat/completions", { body, signal })) {
    const [first] = choices ?? [];
    const { content, reasoning_content } = first?.delta ?? {};
    if (reasoning_content) shown.addReasoning(reasoning_content);
    if (content) shown.addText(content);
    ending.reason = first?.finish_reason ?? ending.reason;
    ending.usage = usage ?? ending.usage;
  }
  return ending;
}

/**
 * @param {string} model
 * @param {Message[]} messages
 */
function requestOf(model, messages) {
  const system = byId("chat-system", HTMLTextAreaElement).value.trim();
  const temperature = byId("chat-temperature", HTMLInputElement).valueAsNumber;
  const limit = byId("chat-max-tokens", HTMLInputElement).valueAsNumber;
  return {
    model,
    messages: [...(system ? [{ role: "system", content: system }] : []), ...messages],
    ...(!Number.isNaN(temperature) && { temperature }),
    ...(!Number.isNaN(limit) && { max_completion_tokens: limit }),
  };
}

/** @param {ApiError} error */
function explained({ code, message }) {
  if (code !== "context_length_exceeded") return message;
  return `The conversation has become longer than the model can read. Begin a new one. (${message})`;
}

/**
 * Keeps the end of the conversation in sight, unless the reader has gone up.
 *
 * @param {HTMLElement} scroll
 */
function followEnd(scroll) {
  let atEnd = true;
  const NEAR = 60;
  scroll.addEventListener("scroll", () => {
    atEnd = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR;
  });
  /** @param {{ always?: boolean } | ResizeObserverEntry[]} [options] */
  return (options) => {
    if (atEnd || (options && "always" in options && options.always)) scroll.scrollTop = scroll.scrollHeight;
  };
}
