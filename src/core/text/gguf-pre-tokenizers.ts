import { HfmsError } from "../errors.js";
import type { TaggedConfig } from "./types.js";

/** How the original tokenizer.json of a GGUF `tokenizer.ggml.pre` name splits text. */
export interface GgufPreTokenizer {
  normalizer: TaggedConfig | null;
  pre_tokenizer: TaggedConfig;
  /** A word that is a token is taken as it is. */
  ignore_merges: boolean;
  /** Whether encoding begins with BOS when the file doesn't say. */
  add_bos: boolean;
}

/** Throws unsupported_model for a name whose rules are not known: a near miss would give wrong tokens silently. */
export function ggufPreTokenizer(name: string): GgufPreTokenizer {
  const found = rules.find((rule) => rule.names.includes(name));
  if (!found) {
    throw new HfmsError("unsupported_model", `the GGUF file's pre-tokenizer "${name}" is not supported`, {
      hint: "use the model's original repository, which has tokenizer.json",
    });
  }
  return {
    normalizer: found.nfc ? { type: "NFC" } : null,
    pre_tokenizer: { type: "Sequence", pretokenizers: found.steps },
    ignore_merges: found.ignoreMerges ?? false,
    add_bos: found.addBos ?? false,
  };
}

interface Rule {
  names: string[];
  steps: TaggedConfig[];
  nfc?: boolean;
  ignoreMerges?: boolean;
  addBos?: boolean;
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

function split(regex: string): TaggedConfig {
  return { type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false };
}

const CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const SPACES = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** The patterns of OpenAI's cl100k family: they differ in how many digits make a word. */
function cl100k(numbers: string, letters = "\\p{L}+", notLetters = "[^\\s\\p{L}\\p{N}]+"): TaggedConfig {
  return split(
    `${CONTRACTION}|[^\\r\\n\\p{L}\\p{N}]?${letters}|${numbers}| ?${notLetters}[\\r\\n]*|${SPACES}`,
  );
}

const UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";

/** The patterns of OpenAI's o200k family: words also break where the case changes. */
function o200k(numbers: string, contraction: string): TaggedConfig {
  const start = "[^\\r\\n\\p{L}\\p{N}]?";
  return split(
    `${start}${UPPER}*${LOWER}+${contraction}|${start}${UPPER}+${LOWER}*${contraction}|${numbers}` +
      `| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${SPACES}`,
  );
}

const CJK_TO_HANGUL = "[一-龥ࠀ-一가-퟿]+";

/** Letters of the scripts with case, as DeepSeek's first tokenizer lists them. Escaped: editors that normalize would change it. */
const DEEPSEEK_LETTERS =
  "A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-\u02AF" +
  "\u0370-\u0373\u0376\u0377\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5" +
  "\u03F7-\u0481\u048A-\u052F\u0531-\u0556\u10A0-\u10C5\u13A0-\u13F5\u13F8-\u13FD\u1C90-\u1CBA" +
  "\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45" +
  "\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE" +
  "\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC" +
  "\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D\u212F-\u2134\u2139" +
  "\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184\u2C00-\u2C7B\u2C7E-\u2CE4\u2CEB-\u2CEE\u2CF2\u2CF3" +
  "\uA640-\uA66D\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF\uFB00-\uFB06" +
  "\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A\u{10400}-\u{1044F}\u{104B0}-\u{104D3}\u{104D8}-\u{104FB}" +
  "\u{10C80}-\u{10CB2}\u{10CC0}-\u{10CF2}\u{118A0}-\u{118DF}\u{1E900}-\u{1E943}";

const rules: Rule[] = [
  {
    // Files older than the key say nothing, which readers call "default"; the byte-level ones were GPT-2's kin.
    names: [
      "default",
      "gpt-2",
      "phi-2",
      "jina-es",
      "jina-de",
      "jina-v2-es",
      "jina-v2-de",
      "modern-bert",
      "roberta-bpe",
      "jina-v1-en",
      "jina-v2-code",
      "gigachat",
      "exaone4",
      "mellum",
    ],
    steps: [gpt2],
  },
  { names: ["mpt", "olmo"], steps: [gpt2], nfc: true },
  { names: ["smollm", "starcoder", "refact", "codeshell", "exaone", "minerva-7b"], steps: [digits, gpt2] },
  { names: ["command-r"], steps: [digits, gpt2], nfc: true },
  {
    names: ["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
    steps: [cl100k("\\p{N}{1,3}"), bytes],
    ignoreMerges: true,
    addBos: true,
  },
  { names: ["glm4"], steps: [cl100k("\\p{N}{1,3}"), bytes], ignoreMerges: true },
  { names: ["dbrx", "smaug-bpe", "chatglm-bpe"], steps: [cl100k("\\p{N}{1,3}"), bytes] },
  {
    names: ["qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "hunyuan", "grok-2"],
    steps: [cl100k("\\p{N}"), bytes],
    nfc: true,
  },
  {
    names: ["qwen35"],
    steps: [cl100k("\\p{N}", "[\\p{L}\\p{M}]+", "[^\\s\\p{L}\\p{M}\\p{N}]+"), bytes],
    nfc: true,
  },
  { names: ["tekken"], steps: [o200k("\\p{N}", ""), bytes], ignoreMerges: true, addBos: true },
  { names: ["gpt-4o", "llama4"], steps: [o200k("\\p{N}{1,3}", `${CONTRACTION}?`), bytes] },
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
    names: ["deepseek-v3", "hunyuan-dense"],
    steps: [
      split("\\p{N}{1,3}"),
      split("[一-龥぀-ゟ゠-ヿ]+"),
      split(
        "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+" +
          `| ?[\\p{P}\\p{S}]+[\\r\\n]*|${SPACES}`,
      ),
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
  { names: ["bloom", "poro-chat", "gpt3-finnish"], steps: [split(" ?[^(\\s|[.,!?…。，、।۔،])]+"), bytes] },
];
