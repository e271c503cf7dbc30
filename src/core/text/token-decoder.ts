import { HfmsError } from "../errors.js";
import type { DecoderConfig } from "./types.js";

/** tokenizer.json's `decoder`, flattened to what can be done one token at a time. */
export interface Decoding {
  /** Token strings are bytes in GPT-2's printable alphabet. */
  byteLevel: boolean;
  /** Tokens like <0xE2> are bytes. */
  byteFallback: boolean;
  /** Text of a token; `index` counts the tokens of this text. */
  textOf(token: string, index: number): string;
  /** Text of the last token, where it differs from `textOf`: that token is held back. */
  lastTextOf?(token: string, index: number): string;
  /** Up to `start` and `stop` characters `content` go from the ends of the whole text. */
  strip?: { content: string; start: number; stop: number };
}

type Step = (token: string, index: number) => string;

export function compileDecoder(config: DecoderConfig | null): Decoding {
  // Without a decoder the tokens are words.
  if (!config) {
    return { byteLevel: false, byteFallback: false, textOf: (token, index) => (index ? ` ${token}` : token) };
  }
  const steps: Step[] = [];
  const lastSteps: Step[] = [];
  const decoding: Decoding = {
    byteLevel: false,
    byteFallback: false,
    textOf: (token, index) => steps.reduce((text, step) => step(text, index), token),
  };
  let fused = false;
  for (const part of flatten(config)) {
    switch (part.type) {
      case "ByteLevel":
        decoding.byteLevel = true;
        break;
      case "ByteFallback":
        decoding.byteFallback = true;
        break;
      case "Fuse":
        fused = true;
        break;
      case "Strip":
        if (fused) decoding.strip = stripOf(part);
        else steps.push((text) => strip(text, stripOf(part)));
        break;
      case "Replace":
        steps.push(replace(part));
        break;
      case "Metaspace":
        steps.push(metaspace(part));
        break;
      case "WordPiece":
        steps.push(wordPiece(part));
        break;
      case "BPEDecoder": {
        const suffix = String(part.suffix ?? "</w>");
        lastSteps.push((token) => token.replaceAll(suffix, ""));
        steps.push((token) => token.replaceAll(suffix, " "));
        break;
      }
      default:
        throw new HfmsError("unsupported_model", `the tokenizer's decoder "${part.type}" is not supported`);
    }
  }
  if (lastSteps.length > 0) decoding.lastTextOf = (token, index) => lastSteps[0](token, index);
  return decoding;
}

/** The byte that a token like <0xE2> stands for. */
export function fallbackByte(token: string): number | undefined {
  const hex = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
  return hex === undefined ? undefined : Number.parseInt(hex, 16);
}

function flatten(config: DecoderConfig): DecoderConfig[] {
  return config.type === "Sequence"
    ? ((config.decoders ?? []) as DecoderConfig[]).flatMap(flatten)
    : [config];
}

function stripOf(config: DecoderConfig): { content: string; start: number; stop: number } {
  return {
    content: String(config.content ?? " "),
    start: Number(config.start ?? 0),
    stop: Number(config.stop ?? 0),
  };
}

function strip(
  text: string,
  { content, start, stop }: { content: string; start: number; stop: number },
): string {
  let from = 0;
  let to = text.length;
  while (from < start && text[from] === content) from++;
  while (text.length - to < stop && to > from && text[to - 1] === content) to--;
  return text.slice(from, to);
}

function replace(config: DecoderConfig): Step {
  const pattern = config.pattern as { String?: string; Regex?: string } | undefined;
  const content = String(config.content ?? "");
  if (pattern?.String !== undefined) {
    const search = pattern.String;
    return (token) => token.replaceAll(search, () => content);
  }
  const regex = new RegExp(pattern?.Regex ?? "(?!)", "gu");
  return (token) => token.replace(regex, () => content);
}

/** The first token loses its mark: it stands for the space that encoding put before the text. */
function metaspace(config: DecoderConfig): Step {
  const mark = String(config.replacement ?? "▁");
  const legacy = config.add_prefix_space === false ? "never" : "always";
  const prepended = String(config.prepend_scheme ?? legacy).toLowerCase() !== "never";
  return (token, index) => token.replaceAll(mark, index === 0 && prepended ? "" : " ");
}

function wordPiece(config: DecoderConfig): Step {
  const prefix = String(config.prefix ?? "##");
  const cleanup = config.cleanup !== false;
  return (token, index) => {
    let text = token;
    if (index > 0) text = token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
    return cleanup ? withoutSpaces(text) : text;
  };
}

/** English punctuation and contractions as huggingface/tokenizers' `cleanup` joins them. */
function withoutSpaces(text: string): string {
  if (!text.startsWith(" ")) return text;
  return text
    .replaceAll(/ ([.?!,])/g, "$1")
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(" do not", " don't")
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re");
}
