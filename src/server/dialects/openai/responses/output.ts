import type { AnswerEvent, ToolCall } from "../../../../core/index.js";
import { newId } from "../answers.js";
import { writtenLogprobs } from "../logprobs.js";
import type { ItemEvent, MessageItem, OutputItem, ReasoningItem } from "./output-schemas.js";

type Piece = Extract<AnswerEvent, { type: "text" | "reasoning" }>;
type CallPiece = Extract<AnswerEvent, { type: "tool_call" }>;

/**
 * Makes output items of an answer's pieces, and the events that tell of them. One item is open at a time; each event
 * says what has changed since the one before, so that whoever adds them up has `items`.
 */
export class ResponseOutput {
  readonly items: OutputItem[] = [];
  /** Tokens of what the model thought. */
  reasoningTokens = 0;

  /** The next piece of the answer. */
  *push(event: AnswerEvent): Generator<ItemEvent> {
    if (event.type === "tool_call") yield* this.#call(event);
    else if (event.type === "text") yield* this.#text(event);
    else yield* this.#reasoning(event);
  }

  /**
   * The end of the answer: nothing is open behind it. `toolCalls` are those that the engine found whole; what looked
   * like a call and was none stays an incomplete item, for its text has become a message.
   */
  *finish(status: "completed" | "incomplete", toolCalls: readonly ToolCall[] = []): Generator<ItemEvent> {
    const last = this.items.at(-1);
    // An answer without a word is an empty message, not nothing.
    if (!last || (last.type === "reasoning" && status === "completed")) {
      yield* this.#close("completed");
      yield* this.#openMessage();
    }
    const whole = new Set(toolCalls.map(({ id }) => id));
    const open = this.#open;
    yield* this.#close(open?.type !== "function_call" || whole.has(open.call_id) ? status : "incomplete");
    for (const item of this.items) {
      if (item.type === "function_call") item.status = whole.has(item.call_id) ? "completed" : "incomplete";
    }
  }

  /** The answer broke off. */
  *breakOff(): Generator<ItemEvent> {
    yield* this.#close("incomplete");
  }

  *#text({ text, logprobs: given = [] }: Piece): Generator<ItemEvent> {
    if (this.#open?.type !== "message") {
      yield* this.#close("completed");
      yield* this.#openMessage();
    }
    const [part] = (this.#open as MessageItem).content;
    const logprobs = writtenLogprobs(given);
    part.text += text;
    part.logprobs.push(...logprobs);
    yield { type: "response.output_text.delta", ...this.#inPart, delta: text, logprobs };
  }

  *#openMessage(): Generator<ItemEvent> {
    const message: MessageItem = {
      type: "message",
      id: newId("msg_"),
      role: "assistant",
      status: "in_progress",
      content: [],
    };
    yield* this.#add(message);
    message.content.push({ type: "output_text", text: "", annotations: [], logprobs: [] });
    yield this.#partEvent("response.content_part.added", message);
  }

  *#reasoning({ text, tokens }: Piece): Generator<ItemEvent> {
    this.reasoningTokens += tokens.length;
    if (this.#open?.type !== "reasoning") {
      yield* this.#close("completed");
      const item: ReasoningItem = {
        type: "reasoning",
        id: newId("rs_"),
        status: "in_progress",
        summary: [],
        content: [],
      };
      yield* this.#add(item);
      item.content.push({ type: "reasoning_text", text: "" });
      yield this.#partEvent("response.content_part.added", item);
    }
    const [part] = (this.#open as ReasoningItem).content;
    part.text += text;
    yield { type: "response.reasoning_text.delta", ...this.#inPart, delta: text };
  }

  *#call({ id, name, arguments: piece }: CallPiece): Generator<ItemEvent> {
    if (id !== undefined && name !== undefined) {
      yield* this.#close("completed");
      yield* this.#add({
        type: "function_call",
        id: newId("fc_"),
        call_id: id,
        name,
        arguments: "",
        status: "in_progress",
      });
    }
    const item = this.#open;
    if (item?.type !== "function_call" || piece === "") return;
    item.arguments += piece;
    yield { type: "response.function_call_arguments.delta", ...this.#inItem, delta: piece };
  }

  *#add(item: OutputItem): Generator<ItemEvent> {
    this.items.push(item);
    yield { type: "response.output_item.added", output_index: this.items.length - 1, item: copy(item) };
  }

  *#close(status: "completed" | "incomplete"): Generator<ItemEvent> {
    const item = this.#open;
    if (!item) return;
    if (item.type === "function_call") {
      yield {
        type: "response.function_call_arguments.done",
        ...this.#inItem,
        arguments: item.arguments,
      };
      item.status = isObject(item.arguments) ? status : "incomplete";
    } else {
      if (item.type === "message") {
        const [{ text, logprobs }] = item.content;
        yield { type: "response.output_text.done", ...this.#inPart, text, logprobs: [...logprobs] };
      } else {
        yield { type: "response.reasoning_text.done", ...this.#inPart, text: item.content[0].text };
      }
      yield this.#partEvent("response.content_part.done", item);
      item.status = status;
    }
    yield { type: "response.output_item.done", output_index: this.items.length - 1, item: copy(item) };
  }

  get #open(): OutputItem | undefined {
    const last = this.items.at(-1);
    return last?.status === "in_progress" ? last : undefined;
  }

  get #inItem(): { item_id: string; output_index: number } {
    const output_index = this.items.length - 1;
    return { item_id: this.items[output_index].id, output_index };
  }

  /** Every item that has parts has one. */
  get #inPart(): { item_id: string; output_index: number; content_index: number } {
    return { ...this.#inItem, content_index: 0 };
  }

  #partEvent(
    type: "response.content_part.added" | "response.content_part.done",
    { content: [part] }: MessageItem | ReasoningItem,
  ): ItemEvent {
    return { type, ...this.#inPart, part: copy(part) };
  }
}

/** Events tell of a moment; the item goes on changing. */
function copy<T>(value: T): T {
  return structuredClone(value);
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
