import { HfmsError } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { TokenHeadInfo } from "../models/types.js";
import type { EncoderBatcher } from "../scheduler/encoder-batcher.js";
import type { Tokenizer } from "../text/types.js";

/** Texts that are looked at together to be sorted by length. */
export const WINDOW = 256;

type HeadOf<T extends TokenHeadInfo["task"]> = Extract<TokenHeadInfo, { task: T }>;

/** The head that a model was built with, and what runs it. Throws unsupported_task where it has another or none. */
export function requireTokenHead<T extends TokenHeadInfo["task"]>(
  { manifest, runner }: LoadedModel,
  task: T,
): { head: HeadOf<T>; batcher: EncoderBatcher } {
  const head = manifest.info.kind === "encoder" ? manifest.info.tokenHead : undefined;
  if (head?.task === task && runner.kind === "encoder")
    return { head: head as HeadOf<T>, batcher: runner.batcher };
  throw new HfmsError("unsupported_task", `${manifest.model} has no head for ${task}`, { param: "model" });
}

/** Where texts stand in a row that the tokenizer joins: how many special tokens there are, and what precedes each text. */
export interface RowLayout {
  specials: number;
  /** Special tokens before the first text. */
  first: number;
  /** Special tokens before the second, those before the first included. */
  second: number;
}

export function layoutOf(tokenizer: Tokenizer, texts: 1 | 2): RowLayout {
  // Ids that no vocabulary has.
  const { ids } = texts === 1 ? tokenizer.join([-1]) : tokenizer.join([-1], [-2]);
  return { specials: ids.length - texts, first: ids.indexOf(-1), second: ids.indexOf(-2) - 1 };
}

/** Stretches of `size` of `length` tokens that have `overlap` in common; the last one ends where they do. */
export function stretches(length: number, size: number, overlap: number): { start: number; end: number }[] {
  const step = Math.max(1, size - overlap);
  const found = [];
  for (let start = 0; ; start += step) {
    const end = Math.min(start + size, length);
    found.push({ start, end });
    if (end === length) return found;
  }
}

/** Throws invalid_request naming the field. */
export function requireWhole(name: string, value: number | undefined, least: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= least)) return;
  throw new HfmsError("invalid_request", `${name} is ${value}; it must be a whole number from ${least} on`, {
    param: name,
  });
}
