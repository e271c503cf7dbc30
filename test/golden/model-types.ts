import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type GoldenArray, readGolden } from "./reference.js";

const folder = join(import.meta.dirname, "model-types");

/** A tiny model of a model_type and what PyTorch (fp32, eager attention) makes of token ids, each row by itself. */
export interface ModelTypeGolden<Reference> {
  name: string;
  /** Absolute path in Hub layout, without a tokenizer. */
  directory: string;
  reference: Reference;
}

export interface DecoderTypeReference {
  kind: "decoder";
  /** The weights, where they are not in model.safetensors. */
  file?: string;
  /** logits [vocabulary] of the last position; greedy tokens, and how far each one's logit is above the second. */
  prompts: { tokens: number[]; logits: GoldenArray; greedy: number[]; margins: number[] }[];
  /** Of every position of `prompts[prompt]`: [tokens, vocabulary]. */
  allLogits: { prompt: number; logits: GoldenArray };
}

interface TokenRow {
  tokens: number[];
  typeIds?: number[];
}

export interface EncoderTypeReference {
  kind: "encoder";
  /** lastHiddenState [tokens, hidden]; embedding [hidden] is the mean over the tokens. */
  inputs: (TokenRow & { lastHiddenState: GoldenArray; embedding: GoldenArray })[];
}

export interface ClassifierTypeReference {
  kind: "classifier";
  /** Both [labels]; the scores as transformers' pipeline has them. */
  inputs: (TokenRow & { logits: GoldenArray; scores: GoldenArray })[];
}

export interface TokenClassifierTypeReference {
  kind: "token-classifier";
  /** [tokens, labels]. */
  inputs: (TokenRow & { logits: GoldenArray })[];
}

export interface QuestionAnswererTypeReference {
  kind: "question-answerer";
  /** Both [tokens]. */
  inputs: (TokenRow & { start: GoldenArray; end: GoldenArray })[];
}

export interface MaskedLmTypeReference {
  kind: "masked-lm";
  /** [tokens, vocabulary]. */
  inputs: (TokenRow & { logits: GoldenArray })[];
}

export interface EncoderDecoderTypeReference {
  kind: "encoder-decoder";
  inputs: {
    tokens: number[];
    /** [tokens, hidden]. */
    encoderLastHiddenState: GoldenArray;
    /** Of the first token, [vocabulary]. */
    logits: GoldenArray;
    /** 24 tokens behind the start, by the rules of generation_config.json, without an end before the last. */
    greedy: number[];
    /** What transformers' generate answers by generation_config.json, in 24 tokens at most. */
    beams: number[];
  }[];
}

/** The goldens in model-types/ whose reference.json says `kind`. */
export function modelTypeGoldens<Reference extends { kind: string }>(
  kind: Reference["kind"],
): ModelTypeGolden<Reference>[] {
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, "reference.json")))
    .map((name) => {
      const directory = join(folder, name);
      return { name, directory, reference: readGolden(join(directory, "reference.json")) as Reference };
    })
    .filter(({ reference }) => reference.kind === kind);
}
