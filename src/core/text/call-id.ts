const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** The largest multiple of the alphabet's size in a byte: bytes above it would favour its first characters. */
const FAIR = 256 - (256 % ALPHABET.length);

/** An id of a call that no other has. 24 characters get OpenAI's prefix; Mistral's templates want 9 and nothing else. */
export function createCallId(length: 9 | 24): string {
  let id = length === 9 ? "" : "call_";
  const end = id.length + length;
  while (id.length < end) {
    for (const byte of crypto.getRandomValues(new Uint8Array(32))) {
      if (byte < FAIR && id.length < end) id += ALPHABET[byte % ALPHABET.length];
    }
  }
  return id;
}
