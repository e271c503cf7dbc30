import { bytesOfToken } from "./byte-level.js";
import { compileDecoder, fallbackByte } from "./token-decoder.js";
import type { Tokenizer } from "./types.js";

/** What a token stands for in a text: its bytes, and their text, U+FFFD where they are a part of a character. */
export interface TokenSpelling {
  text: string;
  bytes: number[];
}

/**
 * Spells single tokens as they stand inside a text: with the space before them, where they have one. Special tokens
 * spell their own names, ids outside the vocabulary nothing.
 */
export function tokenSpelling(
  tokenizer: Pick<Tokenizer, "decoder" | "idToToken" | "isAdded">,
): (id: number) => TokenSpelling {
  const { byteLevel, byteFallback, textOf } = compileDecoder(tokenizer.decoder);
  const bytesOf = (id: number): Uint8Array => {
    const token = tokenizer.idToToken(id) ?? "";
    const added = tokenizer.isAdded(id);
    const byte = byteFallback && !added ? fallbackByte(token) : undefined;
    if (byte !== undefined) return Uint8Array.of(byte);
    const bytes = byteLevel && !added ? bytesOfToken(token) : undefined;
    return bytes ?? Buffer.from(byteLevel || added ? token : textOf(token, INSIDE), "utf8");
  };
  return (id) => {
    const bytes = bytesOf(id);
    return { text: new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes), bytes: [...bytes] };
  };
}

/** A position that is not the first one, where decoders drop a space. */
const INSIDE = 1;
