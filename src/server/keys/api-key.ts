import { createHmac, randomBytes } from "node:crypto";

const PREFIX = "hfms_";
const RANDOM_BYTES = 32;
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** Of 32 bytes in base 62. */
const LETTERS = 43;
const SHOWN_LETTERS = 4;

/** A new API key: `hfms_` and 256 random bits in letters and digits. */
export function randomKey(): string {
  let rest = BigInt(`0x${randomBytes(RANDOM_BYTES).toString("hex")}`);
  let letters = "";
  for (let i = 0; i < LETTERS; i++) {
    letters = DIGITS[Number(rest % 62n)] + letters;
    rest /= 62n;
  }
  return PREFIX + letters;
}

/**
 * What is kept of a key. One fast keyed hash is enough: a slow one is for words that people think up, and nobody can try
 * out 256 random bits. It also costs a request next to nothing.
 */
export function keyDigest(key: string, salt: Buffer): Buffer {
  return createHmac("sha256", salt).update(key).digest();
}

/** By what people recognise a key: `hfms_ab12…`. */
export function keyHint(key: string): string {
  return `${key.slice(0, key.startsWith(PREFIX) ? PREFIX.length + SHOWN_LETTERS : SHOWN_LETTERS)}…`;
}
