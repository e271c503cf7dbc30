import type { MetadataValue } from "../weights/types.js";
import { tokenTypes } from "./gguf-vocabulary.js";

/**
 * Ids that end an answer: those that the file names (`eos`, `eot` and `eom`), and control tokens that end a turn in the
 * chat formats. Converters often leave out the second of Llama 3's, Gemma's or Qwen's two; llama.cpp finds them by their
 * text, too.
 */
export function ggufStopTokens(metadata: ReadonlyMap<string, MetadataValue>): number[] {
  const named = ["eos", "eot", "eom"].map((name) => metadata.get(`tokenizer.ggml.${name}_token_id`));
  const ids = new Set<number>();
  for (const id of named) if (typeof id === "number" || typeof id === "bigint") ids.add(Number(id));
  const tokens = metadata.get("tokenizer.ggml.tokens");
  const types = metadata.get("tokenizer.ggml.token_type");
  if (!Array.isArray(tokens) || !Array.isArray(types)) return [...ids];
  const isControl = (token: string) => types[tokens.indexOf(token)] === tokenTypes.control;
  // In OpenAI's harmony format <|end|> ends one message of several.
  const harmony = isControl("<|return|>") && isControl("<|call|>");
  for (const token of harmony ? ["<|return|>", "<|call|>"] : turnEnds) {
    if (isControl(token)) ids.add(tokens.indexOf(token));
  }
  return [...ids];
}

const turnEnds = [
  "<|eot_id|>",
  "<|eom_id|>",
  "<|im_end|>",
  "<|end|>",
  "<end_of_turn>",
  "<turn|>",
  "<end_of_utterance>",
  "[EOT]",
];
