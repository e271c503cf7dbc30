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

export type DecoderGolden = { directory: string; reference: DecoderReference };
export type EncoderGolden = { directory: string; reference: EncoderReference };

/** A tiny model and its reference numbers; `directory` is an absolute path in Hub layout. */
export function golden(name: `bert-${string}`): EncoderGolden;
export function golden(name: `${"llama" | "gpt2"}-${string}`): DecoderGolden;
export function golden(name: string): DecoderGolden | EncoderGolden {
  const directory = fileURLToPath(new URL(`./${name}`, import.meta.url));
  const reference = readGolden(join(directory, "reference.json"));
  return { directory, reference } as DecoderGolden | EncoderGolden;
}

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
