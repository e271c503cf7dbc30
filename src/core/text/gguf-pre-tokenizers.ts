import { HfmsError } from "../errors.js";
import { CJK_TO_HANGUL, cl100k, DEEPSEEK_LETTERS, deepseek3, kimi, o200k, split } from "./split-patterns.js";
import type { TaggedConfig } from "./types.js";

/** How the original tokenizer.json of a GGUF `tokenizer.ggml.pre` name splits text. */
export interface GgufPreTokenizer {
  normalizer: TaggedConfig | null;
  pre_tokenizer: TaggedConfig;
  /** A word that is a token is taken as it is. */
  ignore_merges: boolean;
  /** Whether encoding begins with BOS when the file doesn't say. */
  add_bos: boolean;
  /** Files may leave the merges out: a token's id is its rank. */
  merges_by_id: boolean;
}

/** Throws unsupported_model for a name whose rules are not known: a near miss would give wrong tokens silently. */
export function ggufPreTokenizer(name: string, file: string): GgufPreTokenizer {
  const found = rules.find((rule) => rule.names.includes(name));
  if (!found) {
    throw new HfmsError(
      "unsupported_model",
      `${file}'s pre-tokenizer "${name}" (tokenizer.ggml.pre) is not supported`,
      {
        hint: "use the model's original repository, which has tokenizer.json",
      },
    );
  }
  return {
    normalizer: found.nfc ? { type: "NFC" } : null,
    pre_tokenizer: { type: "Sequence", pretokenizers: found.steps },
    ignore_merges: found.ignoreMerges ?? false,
    add_bos: found.addBos ?? false,
    merges_by_id: found.mergesById ?? false,
  };
}

interface Rule {
  names: string[];
  steps: TaggedConfig[];
  nfc?: boolean;
  ignoreMerges?: boolean;
  addBos?: boolean;
  mergesById?: boolean;
}

const gpt2: TaggedConfig = {
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: true,
};
const bytes: TaggedConfig = {
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: false,
};
const digits: TaggedConfig = { type: "Digits", individual_digits: true };

const threeDigits = "\\p{N}{1,3}";
const CJK_AND_KANA = "[一-龥぀-ゟ゠-ヿ]+";
// The tokenizer.json writes [^(\\s|[.,…])], a class in a class, which not every engine reads the same.
const BLOOM_WORD = " ?[^(\\s|.,!?…。，、।۔،)]+";

const rules: Rule[] = [
  {
    // Files older than the key say nothing, which readers call "default"; the byte-level ones were GPT-2's kin.
    names: [
      ...[
        "default",
        "gpt-2",
        "phi-2",
        "jais",
        "trillion",
        "granite-docling",
        "gigachat",
        "exaone4",
        "mellum",
      ],
      ...["jina-es", "jina-de", "jina-v2-es", "jina-v2-de", "jina-v1-en", "jina-v2-code", "roberta-bpe"],
      "a.x-4.0",
    ],
    steps: [gpt2],
  },
  { names: ["mpt", "olmo", "modern-bert"], steps: [gpt2], nfc: true },
  {
    names: ["smollm", "starcoder", "refact", "codeshell", "exaone", "minerva-7b", "mellum2"],
    steps: [digits, gpt2],
  },
  { names: ["command-r"], steps: [digits, gpt2], nfc: true },
  {
    names: [
      ...["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
      "jina-v5-nano",
    ],
    steps: [cl100k({ numbers: threeDigits }), bytes],
    ignoreMerges: true,
    addBos: true,
  },
  { names: ["glm4", "glm5"], steps: [cl100k({ numbers: threeDigits }), bytes], ignoreMerges: true },
  { names: ["dbrx", "smaug-bpe", "chatglm-bpe"], steps: [cl100k({ numbers: threeDigits }), bytes] },
  {
    names: ["minicpm5"],
    steps: [split(threeDigits), cl100k({ numbers: "\\p{N}+" }), bytes],
    ignoreMerges: true,
  },
  {
    names: ["jais-2"],
    steps: [
      cl100k({
        numbers: threeDigits,
        spaces: `\\s*[\\r\\n]+|${[512, 256, 128, 64, 32, 16, 8, 4].map((n) => `\\s{${n}}(?!\\S)`).join("|")}|\\s{1,2}(?!\\S)|\\s{1}`,
      }),
      bytes,
    ],
  },
  {
    names: [
      ...["qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "hunyuan", "grok-2", "solar-open", "kormo"],
      "f2llmv2",
    ],
    steps: [cl100k({}), bytes],
    nfc: true,
  },
  { names: ["laguna"], steps: [split("[^\\n]+|[\\n]+"), cl100k({}), bytes] },
  { names: ["ufakzeka"], steps: [cl100k({ contraction: "" }), bytes] },
  {
    names: ["qwen35"],
    steps: [cl100k({ letters: "[\\p{L}\\p{M}]+", others: " ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*" }), bytes],
    nfc: true,
  },
  {
    names: ["seed-coder"],
    steps: [cl100k({ numbers: "\\p{N}{1}", others: " ?[^\\s\\p{L}\\p{N}\\r\\n]+" }), bytes],
  },
  {
    names: ["bailingmoe", "bailingmoe2", "llada-moe"],
    steps: [
      cl100k({
        contraction: "(?i:'s|'d|'m|'t|'ll|'ve|'re)|",
        spaces: "\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
      }),
      bytes,
    ],
  },
  {
    names: ["exaone-moe"],
    steps: [
      cl100k({
        letters: "(?:\\p{L}\\p{M}*(?: \\p{L}\\p{M}*)*)+",
        others: " ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]?",
        spaces: "\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
      }),
      bytes,
    ],
  },
  { names: ["tekken"], steps: [o200k("\\p{N}", ""), bytes], ignoreMerges: true, addBos: true },
  {
    names: ["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
    steps: [o200k(threeDigits), bytes],
  },
  { names: ["granite-embed-multi-97m"], steps: [o200k(threeDigits), bytes], ignoreMerges: true },
  {
    names: ["tiny_aya", "cohere2moe"],
    steps: [split("\\d{1,3}(?=(?:\\d{3})*\\b)"), o200k(threeDigits), bytes],
  },
  {
    names: ["youtu"],
    steps: [
      split(`[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|${CJK_AND_KANA}`),
      o200k("\\p{N}"),
      bytes,
    ],
    ignoreMerges: true,
  },
  { names: ["kimi-k2"], steps: [kimi(), bytes], mergesById: true },
  { names: ["superbpe"], steps: [split("\\p{N}+"), split("(?=(\\d{3})+(?!\\d))"), bytes] },
  {
    names: ["deepseek-llm"],
    steps: [
      split("[\\r\\n]"),
      split(`\\s?[${DEEPSEEK_LETTERS}]+`),
      split("\\s?[!-/:-~！-／：-～‘-‟　-。]+"),
      split("\\s+$"),
      split(CJK_TO_HANGUL),
      digits,
      bytes,
    ],
  },
  {
    names: ["deepseek-coder"],
    steps: [
      split("[\\r\\n]"),
      split("\\s?\\p{L}+"),
      split("\\s?\\p{P}+"),
      split(CJK_TO_HANGUL),
      digits,
      bytes,
    ],
  },
  {
    names: ["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
    steps: [split(threeDigits), split(CJK_AND_KANA), deepseek3(), bytes],
  },
  {
    names: ["spark2_5"],
    steps: [
      split(threeDigits),
      split(CJK_AND_KANA),
      deepseek3(" ?[\\p{P}\\p{S}]+", "[\\r\\n]|\\s+(?!\\S)|\\s+"),
      split("\\p{N}"),
      bytes,
    ],
  },
  {
    names: ["falcon"],
    steps: [
      { type: "Punctuation", behavior: "Contiguous" },
      gpt2,
      { type: "Digits", individual_digits: false },
      split("[0-9][0-9][0-9]"),
    ],
  },
  { names: ["bloom", "poro-chat", "gpt3-finnish"], steps: [split(BLOOM_WORD), bytes] },
  { names: ["viking"], steps: [split(BLOOM_WORD), digits, bytes] },
];
