import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A trained tokenizer of the fixtures: its directory, which has tokenizer.json and reference.json. */
export function fixture(name: FixtureName): string {
  return fileURLToPath(new URL(`../../fixtures/tokenizers/${name}`, import.meta.url));
}

export const fixtureNames = [
  "byte-level",
  "word-piece",
  "sentencepiece-bpe",
  "unigram",
  "bpe-suffix",
] as const;
export type FixtureName = (typeof fixtureNames)[number];

/** What huggingface/tokenizers made of a text. */
export interface Reference {
  text: string;
  ids: number[];
  /** Without the post-processor's tokens. */
  plain: number[];
  decoded: string;
  /** Decoded without special tokens. */
  skipped: string;
}

export function references(name: FixtureName): Reference[] {
  return JSON.parse(readFileSync(`${fixture(name)}/reference.json`, "utf8"));
}

/** Rows of pre-tokenizers.json, normalizers.json or decoders.json. */
export function rows<T>(file: string): T[] {
  return JSON.parse(readFileSync(new URL(`../../fixtures/tokenizers/${file}`, import.meta.url), "utf8"));
}
