import { describe, expect, it } from "vitest";
import { HfmsError } from "../../../src/core/errors.js";
import { byteToChar } from "../../../src/core/text/byte-level.js";
import { tokenizerFromGguf } from "../../../src/core/text/gguf-tokenizer.js";
import { createTokenizer } from "../../../src/core/text/tokenizer.js";
import type { MetadataValue } from "../../../src/core/weights/types.js";
import fc from "../../property.js";

const bytes = Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`);
const pieces = ["ab", "▁ab", "bc", "▁", "a", "b", "c"];
const marked = ["<unk>", "<s>", "</s>", ...bytes, ...pieces];
const markedTypes = [2, 3, 3, ...bytes.map(() => 6), ...pieces.map(() => 1)];
const marks = {
  tokens: marked,
  token_type: markedTypes,
  scores: marked.map((_, id) => -id),
  add_space_prefix: true,
};

/** A sound tokenizer of each kind, without the keys' common beginning. */
const kinds: Record<string, Record<string, MetadataValue>> = {
  gpt2: {
    pre: "llama-bpe",
    tokens: [...byteToChar, "ab", "abc", "<|end|>"],
    token_type: [...byteToChar.map(() => 1), 1, 1, 3],
    merges: ["a b", "ab c"],
    bos_token_id: 258,
    eos_token_id: 258,
    mask_token_id: 258,
    add_bos_token: true,
    add_eos_token: true,
    add_sep_token: true,
  },
  llama: { ...marks, bos_token_id: 1, eos_token_id: 2, unknown_token_id: 0, add_bos_token: true },
  gemma4: { ...marks, merges: ["a b", "▁ ab"], bos_token_id: 1 },
  t5: {
    ...marks,
    precompiled_charsmap: [4, 0, 0, 0, 0, 1, 0, 0, 65, 0],
    remove_extra_whitespaces: true,
    eos_token_id: 2,
    add_eos_token: true,
  },
  bert: {
    tokens: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁ab", "c", "▁a"],
    token_type: [3, 3, 3, 3, 1, 1, 1],
    cls_token_id: 2,
    seperator_token_id: 3,
    unknown_token_id: 1,
    "normalizer.lowercase": true,
  },
};

const scalar: fc.Arbitrary<MetadataValue> = fc.oneof(
  fc.constantFrom<MetadataValue>(
    -1,
    0,
    1,
    0.5,
    2 ** 31,
    2 ** 53,
    Number.NaN,
    Infinity,
    -Infinity,
    2n ** 63n,
    true,
    false,
  ),
  fc.constantFrom(
    "",
    " ",
    "a b",
    "▁",
    "__proto__",
    "constructor",
    "qwen2",
    "\ud800",
    "x".repeat(3000),
    "a".repeat(300),
  ),
  fc.string({ maxLength: 4 }),
);
const absurd: fc.Arbitrary<MetadataValue> = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 4 }),
  fc.constant<MetadataValue>([[["x"]], [1]]),
);

const damage = fc.record({
  key: fc.nat(),
  how: fc.constantFrom(
    "remove" as const,
    "replace" as const,
    "element" as const,
    "shorten" as const,
    "double" as const,
  ),
  at: fc.nat(),
  value: absurd,
});
type Damage = typeof damage extends fc.Arbitrary<infer T> ? T : never;

function damaged(kind: string, damages: readonly Damage[]): Map<string, MetadataValue> {
  const metadata = new Map<string, MetadataValue>([["tokenizer.ggml.model", kind]]);
  for (const [key, value] of Object.entries(kinds[kind])) metadata.set(`tokenizer.ggml.${key}`, value);
  for (const { key, how, at, value } of damages) {
    const names = [...metadata.keys()];
    const name = names[key % names.length];
    const old = metadata.get(name);
    if (how === "remove") metadata.delete(name);
    else if (how === "replace" || !Array.isArray(old) || old.length === 0) metadata.set(name, value);
    else if (how === "shorten") metadata.set(name, old.slice(0, at % old.length));
    else if (how === "double") metadata.set(name, [...old, ...old]);
    else metadata.set(name, old.with(at % old.length, value));
  }
  return metadata;
}

describe.each(Object.keys(kinds))("a %s tokenizer in a GGUF file", (kind) => {
  const text = "abc ab\n▁ a <|end|> é 😀";

  it("works when nothing is wrong", async () => {
    const { tokenizerJson, tokenizerConfig } = tokenizerFromGguf(damaged(kind, []), "m.gguf");
    expect((await createTokenizer(tokenizerJson, tokenizerConfig)).encode(text).length).toBeGreaterThan(3);
  });

  it("works or is refused, naming the file, whatever its keys say", async () => {
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (damages) => {
        const metadata = damaged(kind, damages);
        try {
          const { tokenizerJson, tokenizerConfig } = tokenizerFromGguf(metadata, "m.gguf");
          // As it is kept on the disk.
          const kept = JSON.parse(JSON.stringify(tokenizerJson));
          const tokenizer = await createTokenizer(kept, tokenizerConfig);
          tokenizer.decode(tokenizer.encode(text));
        } catch (error) {
          expect(error).toBeInstanceOf(HfmsError);
          const { code, message } = error as HfmsError;
          expect(["corrupt_file", "unsupported_model", "invalid_request"]).toContain(code);
          expect(message).toMatch(/m\.gguf.*tokenizer|the tokenizer/);
          refused++;
        }
      }),
      { numRuns: 1000 },
    );
    expect(refused).toBeGreaterThan(100);
  });
});
