import type { EmbedInput, EmbedRequest } from "../requests.js";
import type { ToHost } from "./protocol.js";
import { toWire } from "./wire-error.js";

/** Texts in one message, and their characters (or token ids): a message is copied whole. */
const MESSAGE_TEXTS = 256;
const MESSAGE_CHARACTERS = 1_000_000;

/** The flow of texts to a host. */
export interface InputFlow {
  /** The host has room for so many more. */
  want(texts: number): void;
  /** No more is needed; the source is told. */
  close(): void;
}

/** A list that goes in the request itself. */
export function isShortList(input: EmbedRequest["input"]): input is EmbedInput[] {
  if (!Array.isArray(input) || input.length > MESSAGE_TEXTS) return false;
  return input.reduce((sum, text) => sum + text.length, 0) <= MESSAGE_CHARACTERS;
}

/** Reads texts as the host wants them and sends them on. What the source throws is thrown there, and comes back. */
export function feedInput(
  input: EmbedRequest["input"],
  id: number,
  send: (message: Extract<ToHost, { type: "input" | "input_error" }>) => void,
): InputFlow {
  const iterator = Symbol.asyncIterator in input ? input[Symbol.asyncIterator]() : input[Symbol.iterator]();
  let wanted = 0;
  let reading = false;
  let ended = false;
  let closed = false;
  /** Asked of the source and not sent yet. */
  let pending: Promise<IteratorResult<EmbedInput>> | undefined;

  /** What the source has at once, after its first text: a slow stream's text must not wait for the next one. */
  const gather = async (): Promise<EmbedInput[]> => {
    const texts: EmbedInput[] = [];
    let characters = 0;
    let patience: Promise<undefined> | undefined;
    while (texts.length < Math.min(wanted, MESSAGE_TEXTS) && characters < MESSAGE_CHARACTERS) {
      pending ??= Promise.resolve(iterator.next());
      const step = await (patience ? Promise.race([pending, patience]) : pending);
      if (!step) break;
      pending = undefined;
      if (step.done) ended = true;
      if (ended) break;
      texts.push(step.value);
      characters += step.value.length;
      patience ??= new Promise((resolve) => setImmediate(resolve, undefined));
    }
    return texts;
  };

  const read = async (): Promise<void> => {
    if (reading || ended) return;
    reading = true;
    try {
      while (wanted > 0 && !ended) {
        const texts = await gather();
        if (closed) return;
        wanted -= texts.length;
        send({ type: "input", id, texts, last: ended });
      }
    } catch (error) {
      ended = true;
      send({ type: "input_error", id, error: toWire(error) });
    } finally {
      reading = false;
    }
  };

  return {
    want: (texts) => {
      wanted += texts;
      void read();
    },
    close: () => {
      closed = true;
      if (ended) return;
      ended = true;
      // A generator that waits for its own source closes when that speaks again; nobody waits for it.
      void Promise.resolve(iterator.return?.()).catch(() => {});
    },
  };
}
