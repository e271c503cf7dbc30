import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A float32 array, row-major. */
export interface GoldenArray {
  shape: number[];
  values: Float32Array;
}

/** What PyTorch (fp32, eager attention, no cache) makes of a decoder. */
export interface DecoderReference {
  kind: "decoder";
  /** The weight file, where the folder is not in Hub layout (GGUF). */
  file?: string;
  prompts: GoldenPrompt[];
  /** Logits of every position of `prompts[prompt]`: [tokens, vocabulary]. */
  allLogits: { prompt: number; logits: GoldenArray };
  /** Renderings of the chat template with the generation prompt; `tokens` has no special tokens added. */
  chats: { messages: { role: string; content: string }[]; rendered: string; tokens: number[] }[];
}

export interface GoldenPrompt {
  text: string;
  /** With the special tokens that the tokenizer adds. */
  tokens: number[];
  /** Logits of the last position: [vocabulary]. */
  logits: GoldenArray;
  /** The tokens that greedy decoding adds; none of them is a special token. */
  greedy: number[];
  /** Per greedy token: its logit minus the second best. Never below 0.002 in fp32 goldens. */
  margins: number[];
  /** `greedy` decoded by itself. */
  greedyText: string;
}

/** What sentence-transformers (fp32) makes of an encoder. */
export interface EncoderReference {
  kind: "encoder";
  texts: GoldenText[];
  /** The encoder's output before pooling for `texts[text]`: [tokens, hidden]. */
  lastHiddenState: { text: number; values: GoldenArray };
}

export interface GoldenText {
  text: string;
  /** Name of the prompt that was put in front of the text. */
  prompt?: string;
  /** As the model sees them: with prompt and special tokens, cut to the maximum length. */
  tokens: number[];
  /** Pooled and, where the model says so, normalised: [hidden]. */
  embedding: GoldenArray;
}

/** What PyTorch (fp32, eager attention) makes of an encoder with a sequence classification head. */
export interface ClassifierReference {
  kind: "classifier";
  inputs: GoldenInput[];
}

export interface GoldenInput {
  text: string;
  pair?: string;
  /** With special tokens, cut by transformers (longest_first) where they are `truncated`. */
  tokens: number[];
  typeIds: number[];
  /** [labels]. */
  logits: GoldenArray;
  /** Of a pair, where there is one label: what sentence-transformers' CrossEncoder predicts. */
  score?: number;
  truncated?: true;
}

/** What transformers' generate (fp32, eager attention) answers with an encoder-decoder. */
export interface SourceTextsReference {
  kind: "source-texts";
  answers: {
    /** Fields of the request, besides the text. */
    request: { beams?: number; textTask?: string; sourceLanguage?: string; targetLanguage?: string };
    text: string;
    /** What the encoder reads. */
    source: number[];
    /** Behind the decoder's first token. */
    tokens: number[];
    /** `tokens` decoded, without special ones. */
    answer: string;
  }[];
}

/** all-MiniLM-L6-v2's embeddings (sentence-transformers, fp32); the last text is longer than its 256 tokens. */
export interface MinilmReference {
  model: string;
  texts: GoldenText[];
}

/** SmolLM2-135M-Instruct's Q4_1 GGUF, dequantized and run by PyTorch in fp32. */
export interface Smollm2Reference {
  model: string;
  /**
   * Greedy tokens: 24, or up to and including the end token. `messages`, where given, renders to `text` by the
   * template in the file. The first choice after "What is the capital of France?" is won by 0.08 only.
   */
  prompts: (Omit<GoldenPrompt, "logits"> & { messages?: { role: string; content: string }[] })[];
  /** Over the first 500 positions of english.txt: position i has seen tokens 0 … i. */
  english: {
    /** All of english.txt; nothing added in front. */
    tokens: number[];
    /** exp of the mean of -logprobs. */
    perplexity: number;
    /** The most likely next token, and how far its logit is above the second. */
    argmax: number[];
    margins: number[];
    /** Natural logarithm of the probability of tokens[i + 1]. */
    logprobs: number[];
  };
}

export type DecoderGolden = { directory: string; reference: DecoderReference };
export type ClassifierGolden = { directory: string; reference: ClassifierReference };
export type SourceTextsGolden = { directory: string; reference: SourceTextsReference };
export type EncoderGolden = { directory: string; reference: EncoderReference };

export const decoderGoldens = [
  "llama-gqa",
  "llama-llama3-rope",
  "llama-bias",
  "llama-gguf-f32",
  "llama-gguf-f16",
  "llama-gguf-q8_0",
  "llama-gguf-q4_0",
  "llama-gguf-q4_1",
  "gpt2-bare",
  "gpt2-scaled",
] as const;
export const encoderGoldens = ["bert-mean", "bert-cls", "bert-legacy", "bert-dense"] as const;
export const classifierGoldens = ["bert-classes", "bert-tags", "bert-ranker"] as const;

export const sourceTextsGoldens = ["t5-unigram", "m2m-languages"] as const;

/** A tiny model and its reference numbers; `directory` is an absolute path in Hub layout. */
export function golden(name: (typeof encoderGoldens)[number]): EncoderGolden;
export function golden(name: (typeof decoderGoldens)[number]): DecoderGolden;
export function golden(name: (typeof classifierGoldens)[number]): ClassifierGolden;
export function golden(name: (typeof sourceTextsGoldens)[number]): SourceTextsGolden;
export function golden(name: string): DecoderGolden | EncoderGolden | ClassifierGolden | SourceTextsGolden {
  const directory = here(name);
  const reference = readGolden(join(directory, "reference.json"));
  return { directory, reference } as DecoderGolden;
}

/** Numbers of published weights, which are not in the repository: for tests that run where the model is in the cache. */
export const minilmReference = () => readGolden(here("minilm.json")) as MinilmReference;
export const smollm2Reference = () => readGolden(here("smollm2.json")) as Smollm2Reference;

/** Parses a golden's JSON; arrays are stored as base64 of little-endian float32. */
export function readGolden(file: string): unknown {
  return JSON.parse(readFileSync(file, "utf8"), (_key, value) =>
    typeof value?.float32 === "string" ? unpack(value) : value,
  );
}

function unpack(packed: { shape: number[]; float32: string }): GoldenArray {
  const bytes = Uint8Array.from(Buffer.from(packed.float32, "base64"));
  return { shape: packed.shape, values: new Float32Array(bytes.buffer) };
}

function here(name: string): string {
  return fileURLToPath(new URL(`./${name}`, import.meta.url));
}
