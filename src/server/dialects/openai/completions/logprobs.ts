import type { SpelledLogprob } from "../../../../core/index.js";
import { IMPOSSIBLE, tokenText } from "../logprobs.js";
import type { CompletionLogprobs } from "./schemas.js";

/** Writes the log probabilities of one answer, which may come in pieces. */
export class LogprobsWriter {
  /** How many were written. */
  count = 0;
  readonly #likeliest: boolean;
  /** Text that is there and belongs to no token yet. */
  #text = "";
  /** Code points before it. */
  #offset = 0;
  #decoder = newDecoder();

  /** `likeliest`: others than the chosen ones were asked for. */
  constructor({ likeliest }: { likeliest: boolean }) {
    this.#likeliest = likeliest;
  }

  /** The tokens of a piece, and its text. */
  write(logprobs: readonly SpelledLogprob[], text: string): CompletionLogprobs {
    this.#text += text;
    this.count += logprobs.length;
    return {
      tokens: logprobs.map(({ bytes }) => tokenText(bytes)),
      token_logprobs: logprobs.map(({ logprob }) => (logprob === null ? null : finite(logprob))),
      top_logprobs: logprobs.map((logprob) => this.#top(logprob)),
      text_offset: logprobs.map(({ bytes }) => this.#place(bytes)),
    };
  }

  #top({ bytes, logprob, top }: SpelledLogprob): Record<string, number> | null {
    if (logprob === null) return null;
    const told = new Map<string, number>();
    for (const one of [...(this.#likeliest ? top : []), { bytes, logprob }]) {
      const token = tokenText(one.bytes);
      // Several tokens may be spelled alike: the likeliest of them is told.
      if (!told.has(token)) told.set(token, finite(one.logprob ?? IMPOSSIBLE));
    }
    return Object.fromEntries(told);
  }

  /** Special tokens have no place in the text, and decoders drop the space before its first word. */
  #place(bytes: readonly number[]): number {
    const offset = this.#offset;
    const piece = this.#decoder.decode(Uint8Array.from(bytes), { stream: true });
    const found = [piece, piece.replace(/^ /, "")].find((words) => this.#text.startsWith(words));
    if (found === undefined) this.#decoder = newDecoder();
    else {
      this.#text = this.#text.slice(found.length);
      this.#offset += [...found].length;
    }
    return offset;
  }
}

function newDecoder() {
  return new TextDecoder("utf-8", { ignoreBOM: true });
}

function finite(logprob: number): number {
  return Math.max(IMPOSSIBLE, logprob);
}
