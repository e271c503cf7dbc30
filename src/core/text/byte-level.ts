/**
 * The alphabet of byte-level BPE (GPT-2's bytes_to_unicode): every byte has a printable character, so that a
 * vocabulary of bytes can be written as strings. Printable Latin-1 stands for itself, the rest moves to U+0100…
 */
export const byteToChar: readonly string[] = alphabet();

/** Byte of each character of the alphabet, -1 for others; index is the character code, below 324. */
export const charToByte: Int16Array = reversed();

/** tokenizer.json's decoder for such a vocabulary. */
export const byteLevelDecoder = {
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: true,
};

/** Bytes of a token string of a byte-level vocabulary; undefined when it has characters outside the alphabet. */
export function bytesOfToken(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const code = token.charCodeAt(i);
    const byte = code < charToByte.length ? charToByte[code] : -1;
    if (byte < 0) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

/** A text as characters of the alphabet, one per UTF-8 byte. */
export function toByteLevel(text: string): string {
  let result = "";
  for (const byte of Buffer.from(text, "utf8")) result += byteToChar[byte];
  return result;
}

function alphabet(): string[] {
  let moved = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(printable ? byte : 256 + moved++);
  });
}

function reversed(): Int16Array {
  const table = new Int16Array(324).fill(-1);
  byteToChar.forEach((char, byte) => {
    table[char.charCodeAt(0)] = byte;
  });
  return table;
}
