import type { JsonSchema, Tool, ToolCall } from "../requests.js";
import { AnswerCursor, type Reading } from "./answer-cursor.js";
import { createCallId } from "./call-id.js";
import type { ReasoningFormat } from "./reasoning.js";
import type { CallReader, ToolCallFormat } from "./tool-calls/types.js";

/** A piece of an answer. A call comes as its id and name once, then pieces of its arguments' JSON text. */
export type AnswerPart =
  | { type: "text" | "reasoning"; text: string }
  | { type: "tool_call"; call: number; id?: string; name?: string; arguments: string };

export interface AnswerParserOptions {
  /** Look for calls; without it they stay text. */
  toolFormat?: ToolCallFormat;
  /** The functions that can be called; without it every name counts. */
  tools?: readonly Tool[];
  /** Look for reasoning; without it it stays text. */
  reasoning?: ReasoningFormat;
  /** The prompt ends inside the reasoning. */
  startsInReasoning?: boolean;
}

/**
 * Splits the streamed text of one answer into reasoning, text and tool calls. Only what could become a mark is held
 * back. What looks like a call and is none (an unknown function, broken JSON) comes as text, whole: also where its
 * beginning was sent as a call already, which then is not among `toolCalls`. Dropped are the marks, line ends inside
 * and behind reasoning marks, and space around calls.
 */
export class AnswerParser {
  readonly toolCalls: ToolCall[] = [];
  /** Special tokens that the detokenizer must write out for this parser. */
  readonly needsSpecialTokens: readonly string[];
  readonly #options: AnswerParserOptions;
  readonly #cursor = new AnswerCursor();
  readonly #reading: Reading<void>;
  #parts: AnswerPart[] = [];
  /** Space at the end of the text so far: it belongs to a call if one follows. */
  #space = "";
  #calls = 0;
  /** Nothing but calls and space since the latest call. */
  #afterCall = false;
  #atLineStart = true;

  constructor(options: AnswerParserOptions) {
    this.#options = options;
    this.needsSpecialTokens = [...(options.toolFormat?.tokens ?? []), ...(options.reasoning?.tokens ?? [])];
    this.#reading = this.#answer();
  }

  push(text: string): AnswerPart[] {
    if (text === "") return [];
    this.#cursor.append(text);
    return this.#resume();
  }

  /** The end of the answer: what was held back. */
  finish(): AnswerPart[] {
    this.#cursor.end();
    return this.#resume();
  }

  #resume(): AnswerPart[] {
    this.#reading.next();
    const parts = this.#parts;
    this.#parts = [];
    return parts;
  }

  *#answer(): Reading<void> {
    const { reasoning, toolFormat } = this.#options;
    if (reasoning) yield* this.#reasoning(reasoning);
    if (toolFormat) yield* this.#textAndCalls(toolFormat);
    else
      while (yield* this.#cursor.more())
        this.#send(
          "text",
          this.#upTo(() => false),
        );
  }

  *#reasoning({ start, end }: ReasoningFormat): Reading<void> {
    const cursor = this.#cursor;
    const before = cursor.position;
    yield* cursor.space();
    // Some models open once more what the template has opened.
    const opened = yield* cursor.literal(start);
    if (!opened) cursor.rewind(before);
    if (!opened && !this.#options.startsInReasoning) return;
    yield* cursor.while(/\n/);
    while (yield* cursor.more()) {
      this.#send(
        "reasoning",
        this.#upTo((char) => char === "\n" || char === end[0]),
      );
      if ((yield* cursor.more()) && (yield* this.#reasoningEnds(end))) break;
    }
    yield* cursor.while(/\n/);
    cursor.forget();
  }

  /** Steps over the end of the reasoning and the line ends before it, or over one character that is none of it. */
  *#reasoningEnds(end: string): Reading<boolean> {
    const cursor = this.#cursor;
    const before = cursor.position;
    yield* cursor.while(/\n/);
    if ((yield* cursor.literal(end)) || !(yield* cursor.more())) return true;
    cursor.rewind(before);
    this.#send("reasoning", cursor.take(1));
    return false;
  }

  *#textAndCalls(format: ToolCallFormat): Reading<void> {
    const cursor = this.#cursor;
    while (yield* this.#untilCall(format)) {
      const start = cursor.position;
      const calls = this.#callReader(format.idLength);
      if (yield* format.read(calls)) continue;
      const committed = Math.max(start, calls.committed);
      cursor.rewind(committed);
      if (committed === start) this.#say(cursor.take(1));
    }
    if (!this.#afterCall) this.#send("text", this.#space);
  }

  /** Sends text up to the next place where a call could begin. False at the end of the answer. */
  *#untilCall({ starts, lineStarts = [] }: ToolCallFormat): Reading<boolean> {
    const cursor = this.#cursor;
    const firsts = new Set([...starts, ...lineStarts].map((start) => start[0]));
    while (yield* cursor.more()) {
      this.#say(this.#upTo((char) => firsts.has(char)));
      if (!(yield* cursor.more())) break;
      for (const start of this.#atLineStart ? [...starts, ...lineStarts] : starts) {
        const position = cursor.position;
        if (!(yield* cursor.literal(start))) continue;
        cursor.rewind(position);
        return true;
      }
      this.#say(cursor.take(1));
    }
    return false;
  }

  #callReader(idLength: 9 | 24): CallReader & { readonly committed: number } {
    const cursor = this.#cursor;
    let committed = -1;
    let call: ToolCall | undefined;
    return {
      cursor,
      knows: (name) => this.#options.tools?.some((tool) => tool.name === name) ?? true,
      schemaOf: (name, argument) => {
        const parameters = this.#options.tools?.find((tool) => tool.name === name)?.parameters;
        const properties = typeof parameters === "object" ? parameters.properties : undefined;
        return (properties as Record<string, JsonSchema> | undefined)?.[argument];
      },
      begin: (name) => {
        call = { id: createCallId(idLength), name, arguments: "" };
        this.#parts.push({ type: "tool_call", call: this.#calls++, id: call.id, name, arguments: "" });
      },
      write: (json) => {
        call!.arguments += json;
        const last = this.#parts.at(-1);
        if (last?.type === "tool_call") last.arguments += json;
        else this.#parts.push({ type: "tool_call", call: this.#calls - 1, arguments: json });
      },
      end: () => void this.toolCalls.push(call!),
      commit: () => {
        cursor.forget();
        committed = cursor.position;
        this.#space = "";
        this.#afterCall = true;
        this.#atLineStart = true;
      },
      get committed() {
        return committed;
      },
    };
  }

  /** Takes what has come, up to a character. */
  #upTo(ends: (char: string) => boolean): string {
    const ahead = this.#cursor.ahead;
    let length = 0;
    while (length < ahead.length && !ends(ahead[length])) length++;
    const text = this.#cursor.take(length);
    this.#cursor.forget();
    return text;
  }

  /** Text of the answer; space at its end waits for what comes next. */
  #say(text: string): void {
    let end = text.length;
    while (end > 0 && " \t\r\n".includes(text[end - 1])) end--;
    if (end > 0) {
      this.#send("text", this.#space + text.slice(0, end));
      this.#space = "";
      this.#afterCall = false;
      this.#atLineStart = false;
    }
    this.#space += text.slice(end);
    if (text.includes("\n", end)) this.#atLineStart = true;
  }

  #send(type: "text" | "reasoning", text: string): void {
    if (text === "") return;
    const last = this.#parts.at(-1);
    if (last?.type === type) last.text += text;
    else this.#parts.push({ type, text });
  }
}
