import { HfmsError } from "../errors.js";

/** Graphemes of more bytes are never looked up whole: what SentencePiece's tables hold is shorter. */
const MAX_GRAPHEME_BYTES = 5;

/**
 * SentencePiece's compiled normalization rules (`precompiled_charsmap`, base64 in tokenizer.json): a double-array trie
 * (darts-clone) of UTF-8 keys, then the replacements, each ended by a zero byte. Applied as huggingface/tokenizers
 * does: to whole graphemes, else to characters, and the shortest key that begins one replaces all of it.
 */
export function precompiledNormalizer(base64: string): (text: string) => string {
  const replacement = readRules(Buffer.from(base64, "base64"));
  const known = new Map<string, string | undefined>();
  const look = (piece: string): string | undefined => {
    if (known.has(piece)) return known.get(piece);
    if (known.size > MAX_KNOWN) known.clear();
    const found = replacement(Buffer.from(piece, "utf8"));
    known.set(piece, found);
    return found;
  };
  const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });
  return (text) => {
    let result = "";
    for (const grapheme of isAscii(text) ? (text.match(/\r\n|[\s\S]/g) ?? []) : graphemes(segmenter, text)) {
      const whole = Buffer.byteLength(grapheme) <= MAX_GRAPHEME_BYTES ? look(grapheme) : undefined;
      if (whole !== undefined) result += whole;
      else for (const char of grapheme) result += look(char) ?? char;
    }
    return result;
  };
}

/** Pieces remembered: a few thousand make up most texts. */
const MAX_KNOWN = 20_000;

function* graphemes(segmenter: Intl.Segmenter, text: string): Generator<string> {
  for (const { segment } of segmenter.segment(text)) yield segment;
}

function isAscii(text: string): boolean {
  return !/[^\0-\x7f]/.test(text);
}

/** A function from a key's bytes to the replacement of its shortest prefix that has one. */
function readRules(map: Buffer): (key: Uint8Array) => string | undefined {
  const trieBytes = map.length < 4 ? 0 : map.readUInt32LE(0);
  if (trieBytes === 0 || trieBytes % 4 !== 0 || 4 + trieBytes > map.length) {
    throw new HfmsError("corrupt_file", "the tokenizer's precompiled_charsmap is damaged");
  }
  const units = Uint32Array.from({ length: trieBytes / 4 }, (_, i) => map.readUInt32LE(4 + 4 * i));
  const texts = map.subarray(4 + trieBytes);
  return (key) => {
    let at = offsetOf(units[0]);
    for (const byte of key) {
      if (byte === 0) return undefined;
      at ^= byte;
      const unit = units[at] ?? 0;
      // The label is the low byte, and the highest bit marks a value, which is no label.
      if (unit >>> 31 || (unit & 0xff) !== byte) return undefined;
      at ^= offsetOf(unit);
      const hasValue = (unit >>> 8) & 1;
      if (hasValue) {
        const start = (units[at] ?? 0) & 0x7fffffff;
        const end = texts.indexOf(0, start);
        return texts.toString("utf8", start, end < 0 ? undefined : end);
      }
    }
    return undefined;
  };
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & (1 << 9)) >>> 6);
}
