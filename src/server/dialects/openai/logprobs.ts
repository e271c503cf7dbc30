import type { SpelledLogprob } from "../../../core/index.js";

/** A token and its log probability as chat answers and responses have them. */
export interface WrittenLogprob {
  token: string;
  logprob: number;
  bytes: number[];
}

export function writtenLogprobs(
  logprobs: readonly SpelledLogprob[],
): (WrittenLogprob & { top_logprobs: WrittenLogprob[] })[] {
  return logprobs.map(({ top, ...token }) => ({ ...written(token), top_logprobs: top.map(written) }));
}

/** What stands for the logarithm of 0: JSON has no infinity. */
export const IMPOSSIBLE = -9999;

function written({ bytes, logprob }: Pick<SpelledLogprob, "bytes" | "logprob">): WrittenLogprob {
  return { token: tokenText(bytes), logprob: Math.max(IMPOSSIBLE, logprob ?? IMPOSSIBLE), bytes };
}

/** Text of a token's bytes; those that are a part of a character are written as the original does it: `\xf0\x9f`. */
export function tokenText(bytes: readonly number[]): string {
  const all = Uint8Array.from(bytes);
  try {
    return strict.decode(all);
  } catch {
    let text = "";
    for (let at = 0; at < all.length; ) {
      const length = [1, 2, 3, 4].find(
        (count) => at + count <= all.length && isText(all.subarray(at, at + count)),
      );
      text += length
        ? strict.decode(all.subarray(at, at + length))
        : `\\x${all[at].toString(16).padStart(2, "0")}`;
      at += length ?? 1;
    }
    return text;
  }
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function isText(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
