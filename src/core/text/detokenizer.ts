import { bytesOfToken } from "./byte-level.js";
import { compileDecoder, type Decoding, fallbackByte } from "./token-decoder.js";
import type { Tokenizer } from "./types.js";

export interface DetokenizerOptions {
  /** Leave out special tokens; on by default. */
  skipSpecialTokens?: boolean;
  /** Special tokens that are written out all the same: marks that a parser looks for. */
  keep?: ReadonlySet<number>;
  /**
   * Ids that stand before the first pushed one (the end of a prompt that is continued). Their text is not printed,
   * but the first new token keeps the space that SentencePiece and WordPiece drop at the beginning of a text.
   */
  context?: readonly number[];
}

/** Byte-level tokens that are ASCII, most of them: they need no bytes. */
const PLAIN = /^Ġ?[!-~]*$/;

/** What the detokenizer asks of a tokenizer. */
type Vocabulary = Pick<Tokenizer, "decoder" | "idToToken" | "isAdded" | "isSpecial">;

/**
 * Token ids to text as they come. `push` returns what can be printed now and never half a character; `flush` returns
 * the rest. Joined, they equal `tokenizer.decode` of all ids. Each token costs the same, however long the text is.
 * Of bytes that make no character each maximal wrong stretch becomes U+FFFD, as the WHATWG decoder has it.
 */
export class Detokenizer {
  readonly #vocabulary: Vocabulary;
  readonly #decoding: Decoding;
  readonly #skipSpecialTokens: boolean;
  readonly #keep: ReadonlySet<number> | undefined;
  readonly #utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  /** Number of tokens so far that have a text. */
  #index: number;
  /** Bytes of a character that is not complete: at most three. */
  #bytes: Uint8Array = new Uint8Array(0);
  /** The latest token, where the decoder treats the last one differently. */
  #last: string | undefined;
  /** How many characters the decoder may still strip from the beginning. */
  #stripStart: number;
  /** Text that the decoder strips if nothing follows. */
  #held = "";

  constructor(tokenizer: Vocabulary, options: DetokenizerOptions = {}) {
    this.#vocabulary = tokenizer;
    this.#decoding = compileDecoder(tokenizer.decoder);
    this.#skipSpecialTokens = options.skipSpecialTokens ?? true;
    this.#keep = options.keep;
    const continued = options.context?.some((id) => !this.#skips(id)) ?? false;
    this.#index = continued ? 1 : 0;
    this.#stripStart = continued ? 0 : (this.#decoding.strip?.start ?? 0);
  }

  push(id: number): string {
    if (this.#skips(id)) return "";
    const token = this.#vocabulary.idToToken(id);
    if (token === undefined) return "";
    const { byteLevel, byteFallback, lastTextOf } = this.#decoding;
    const index = this.#index++;
    if (byteLevel) {
      if (this.#bytes.length === 0 && PLAIN.test(token)) return this.#strip(token.replace("Ġ", " "));
      const bytes = this.#vocabulary.isAdded(id) ? undefined : bytesOfToken(token);
      return this.#strip(bytes ? this.#complete(bytes) : this.#incomplete() + token);
    }
    const byte = byteFallback ? fallbackByte(token) : undefined;
    if (byte !== undefined) return this.#strip(this.#complete(Uint8Array.of(byte)));
    const rest = this.#incomplete();
    if (!lastTextOf) return this.#strip(rest + this.#decoding.textOf(token, index));
    const previous = this.#last === undefined ? "" : this.#decoding.textOf(this.#last, index - 1);
    this.#last = token;
    return this.#strip(previous + rest);
  }

  /** The rest of the text. */
  flush(): string {
    const last = this.#last === undefined ? "" : this.#decoding.lastTextOf!(this.#last, this.#index - 1);
    this.#last = undefined;
    const text = this.#strip(this.#incomplete() + last);
    this.#held = "";
    return text;
  }

  #skips(id: number): boolean {
    return this.#skipSpecialTokens && this.#vocabulary.isSpecial(id) && !this.#keep?.has(id);
  }

  /** Text of the bytes up to the last character that may still grow; its bytes are kept. */
  #complete(bytes: Uint8Array): string {
    if (this.#bytes.length > 0) {
      const joined = new Uint8Array(this.#bytes.length + bytes.length);
      joined.set(this.#bytes);
      joined.set(bytes, this.#bytes.length);
      bytes = joined;
    }
    const end = bytes.length - openLength(bytes);
    this.#bytes = bytes.subarray(end);
    return end === 0 ? "" : this.#utf8.decode(bytes.subarray(0, end));
  }

  /** What the kept bytes give when no more bytes follow. */
  #incomplete(): string {
    if (this.#bytes.length === 0) return "";
    const text = this.#utf8.decode(this.#bytes);
    this.#bytes = this.#bytes.subarray(0, 0);
    return text;
  }

  #strip(text: string): string {
    const { strip } = this.#decoding;
    if (!strip || text === "") return text;
    let from = 0;
    while (this.#stripStart > 0 && text[from] === strip.content) {
      from++;
      this.#stripStart--;
    }
    if (from < text.length) this.#stripStart = 0;
    if (strip.stop === 0) return text.slice(from);
    const whole = this.#held + text.slice(from);
    let end = whole.length;
    while (whole.length - end < strip.stop && whole[end - 1] === strip.content) end--;
    this.#held = whole.slice(end);
    return whole.slice(0, end);
  }
}

/** Number of bytes at the end that begin a UTF-8 character without finishing it. */
function openLength(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back];
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? back : 0;
  }
  return 0;
}
