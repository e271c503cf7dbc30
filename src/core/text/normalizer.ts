import { HfmsError } from "../errors.js";
import { type CompilePattern, patternOf } from "./patterns.js";
import { precompiledNormalizer } from "./precompiled.js";
import type { TaggedConfig } from "./types.js";

export type Normalize = (text: string) => string;

/** Compiles tokenizer.json's `normalizer`, with huggingface/tokenizers' rules character by character. */
export function compileNormalizer(
  config: TaggedConfig | null | undefined,
  compile: CompilePattern,
): Normalize {
  if (!config) return (text) => text;
  switch (config.type) {
    case "Sequence": {
      const steps = ((config.normalizers ?? []) as TaggedConfig[]).map((step) =>
        compileNormalizer(step, compile),
      );
      return (text) => steps.reduce((result, step) => step(result), text);
    }
    case "BertNormalizer":
      return bertNormalizer(config);
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD": {
      const form = config.type;
      return (text) => text.normalize(form);
    }
    case "Lowercase":
      return lowercase;
    case "StripAccents":
      return (text) => text.replace(/\p{M}/gu, "");
    case "Strip":
      return stripper(config);
    case "Prepend":
      return (text) => (text === "" ? text : `${config.prepend}${text}`);
    case "Replace": {
      const pattern = patternOf(config, compile);
      return (text) => text.replace(pattern, () => String(config.content ?? ""));
    }
    case "Precompiled":
      return config.precompiled_charsmap
        ? precompiledNormalizer(String(config.precompiled_charsmap))
        : (text) => text;
    default:
      throw new HfmsError(
        "unsupported_model",
        `the tokenizer's normalizer "${config.type}" is not supported`,
      );
  }
}

/** Control, format, private-use and surrogate characters; unassigned ones stay, as in the original. */
const REMOVED = /(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}]|\uFFFD/gu;
const CJK =
  /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/gu;

/** Plain ASCII needs none of the slow rules. */
const NOT_PLAIN = /[^\t\n\r -~]/;

function bertNormalizer(config: TaggedConfig): Normalize {
  const clean = config.clean_text !== false;
  const chinese = config.handle_chinese_chars !== false;
  const lower = config.lowercase !== false;
  const strip = (config.strip_accents as boolean | null | undefined) ?? lower;
  return (text) => {
    const plain = !NOT_PLAIN.test(text);
    if (clean)
      text = plain ? text.replace(/\s/g, " ") : text.replace(REMOVED, "").replace(/\p{White_Space}/gu, " ");
    if (plain) return lower ? text.toLowerCase() : text;
    if (chinese) text = text.replace(CJK, " $& ");
    if (strip) text = text.normalize("NFD").replace(/\p{Mn}/gu, "");
    return lower ? lowercase(text) : text;
  };
}

/** Character by character, as Rust does it: JavaScript alone would write a final sigma differently. */
function lowercase(text: string): string {
  return (text.includes("Σ") ? text.replaceAll("Σ", "σ") : text).toLowerCase();
}

function stripper(config: TaggedConfig): Normalize {
  return (text) => {
    if (config.strip_left) text = text.replace(/^\p{White_Space}+/u, "");
    if (config.strip_right) text = text.trimEnd();
    return text;
  };
}
