import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { fromFileSystem, HfmsError, throwIfAborted } from "../errors.js";
import type { TokenizerConfig, TokenizerJson } from "./types.js";
import { bytePairFromFiles, wordPieceFromFile } from "./vocabulary-files.js";

export interface TokenizerFiles {
  tokenizerJson: TokenizerJson;
  tokenizerConfig: TokenizerConfig;
}

/** Larger than any tokenizer.json published (the largest are near 35 MB). */
const MAX_FILE_BYTES = 200_000_000;

/**
 * Reads what a model's directory says about its tokenizer. tokenizer.json is enough; special_tokens_map.json and
 * added_tokens.json fill what tokenizer_config.json leaves out.
 */
export async function readTokenizerFiles(directory: string, signal?: AbortSignal): Promise<TokenizerFiles> {
  const read = (name: string) => readJson<Record<string, unknown>>(path.join(directory, name), signal);
  const [json, config, specialTokens, addedTokens] = await Promise.all([
    read("tokenizer.json"),
    read("tokenizer_config.json"),
    read("special_tokens_map.json"),
    read("added_tokens.json"),
  ]);
  const tokenizerConfig: TokenizerConfig = { ...specialTokens, ...withoutNulls(config) };
  if (addedTokens && !tokenizerConfig.added_tokens_decoder) {
    tokenizerConfig.added_tokens_decoder = Object.fromEntries(
      Object.entries(addedTokens).map(([content, id]) => [String(id), { content }]),
    );
  }
  const tokenizerJson =
    (json as TokenizerJson | undefined) ?? (await readVocabularyFiles(directory, tokenizerConfig, signal));
  return { tokenizerJson, tokenizerConfig };
}

/** tokenizer_config.json alone, with special_tokens_map.json beneath it; empty when there is none. */
export async function readTokenizerConfig(directory: string, signal?: AbortSignal): Promise<TokenizerConfig> {
  const [config, specialTokens] = await Promise.all(
    ["tokenizer_config.json", "special_tokens_map.json"].map((name) =>
      readJson<Record<string, unknown>>(path.join(directory, name), signal),
    ),
  );
  return { ...specialTokens, ...withoutNulls(config) };
}

/** T5, Pegasus and PLBART; mBART and M2M100; opus-mt. */
const SENTENCE_PIECE = /^(spiece|tokenizer|sentencepiece(\.bpe)?)\.model$|\.spm$/;

async function readVocabularyFiles(
  directory: string,
  config: TokenizerConfig,
  signal?: AbortSignal,
): Promise<TokenizerJson> {
  const vocabulary = await readJson<Record<string, number>>(path.join(directory, "vocab.json"), signal);
  const merges = await readText(path.join(directory, "merges.txt"), signal);
  if (vocabulary && merges !== undefined) return bytePairFromFiles(vocabulary, merges, config);
  const words = await readText(path.join(directory, "vocab.txt"), signal);
  if (words !== undefined) return wordPieceFromFile(words, config);
  const files: string[] = await readdir(directory).catch(() => []);
  const pieces = files.find((name) => SENTENCE_PIECE.test(name));
  if (pieces !== undefined) {
    throw new HfmsError("unsupported_model", `${directory} has ${pieces}, and no tokenizer.json`, {
      hint: "hfms reads no SentencePiece files: take a copy of the model on the Hub that has tokenizer.json",
    });
  }
  const found = vocabulary ? " (vocab.json is there, merges.txt is not)" : "";
  throw new HfmsError("unsupported_model", `no tokenizer in ${directory}${found}`, {
    hint: "a model needs tokenizer.json, or vocab.json with merges.txt, or vocab.txt",
  });
}

/** The object in a JSON file; undefined when there is no such file. */
export async function readJson<T extends object>(file: string, signal?: AbortSignal): Promise<T | undefined> {
  const text = await readText(file, signal);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as T;
  } catch (error) {
    throw new HfmsError("corrupt_file", `${file} is not JSON: ${(error as Error).message}`, {
      hint: "pull the model again",
      cause: error,
    });
  }
  throw new HfmsError("corrupt_file", `${file} holds no object`, { hint: "pull the model again" });
}

/** A file's text; undefined when there is no such file. */
export async function readText(file: string, signal?: AbortSignal): Promise<string | undefined> {
  throwIfAborted(signal);
  try {
    const bytes = await readFile(file, { signal });
    if (bytes.length > MAX_FILE_BYTES) {
      throw new HfmsError("corrupt_file", `${file} has ${bytes.length} bytes, too many for a tokenizer`);
    }
    return bytes.toString("utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throwIfAborted(signal);
    throw fromFileSystem(error, file);
  }
}

function withoutNulls(config: Record<string, unknown> | undefined): Record<string, unknown> {
  return Object.fromEntries(Object.entries(config ?? {}).filter(([, value]) => value !== null));
}
