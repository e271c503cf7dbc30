import { describe, expect, it } from "vitest";
import { convert } from "../../../src/core/convert.js";
import { editedGolden } from "../../edited-golden.js";
import { graphFiles } from "../../graph-files.js";
import { finish } from "../../tiny-model.js";
import { temporaryFolder } from "../hub/sandbox.js";

/** What a configuration that belongs to other weights is answered. */
const misfits: [Parameters<typeof editedGolden>[0], Record<string, unknown>, RegExp][] = [
  ["llama-gqa", { hidden_size: 64 }, /embed_tokens.weight is \[384, 128\], .* asks for \[…, 64\]/],
  [
    "llama-gqa",
    { num_attention_heads: 8 },
    /layers.0.self_attn.k_proj.weight is \[64, 128\], .* \[32, 128\]/,
  ],
  [
    "llama-gqa",
    { num_key_value_heads: 4 },
    /layers.0.self_attn.k_proj.weight is \[64, 128\], .* \[128, 128\]/,
  ],
  ["llama-gqa", { head_dim: 64 }, /layers.0.self_attn.q_proj.weight is \[128, 128\], .* \[256, 128\]/],
  ["llama-gqa", { intermediate_size: 64 }, /layers.0.mlp.gate_proj.weight is \[128, 128\], .* \[64, 128\]/],
  ["llama-bias", { num_key_value_heads: 2 }, /layers.0.self_attn.k_proj.weight is \[64, 128\]/],
  ["gpt2-bare", { n_embd: 64 }, /wte.weight is \[384, 128\]/],
  ["gpt2-bare", { n_inner: null }, /h.0.mlp.c_fc.weight is \[128, 128\], .* \[512, 128\]/],
  ["bert-mean", { hidden_size: 64 }, /embeddings.word_embeddings.weight is \[320, 128\]/],
  ["bert-legacy", { intermediate_size: 100 }, /encoder.layer.0.intermediate.dense.weight is \[128, 64\]/],
];

const impossible: [Parameters<typeof editedGolden>[0], Record<string, unknown>, string][] = [
  ["llama-gqa", { num_attention_heads: 3 }, "num_attention_heads"],
  ["llama-gqa", { num_key_value_heads: 3 }, "num_key_value_heads"],
  ["llama-gqa", { head_dim: 31 }, "head_dim"],
  ["llama-gqa", { max_position_embeddings: 99_999_999 }, "max_position_embeddings"],
  ["gpt2-bare", { n_head: 3 }, "n_head"],
  ["bert-mean", { num_attention_heads: 3 }, "num_attention_heads"],
];

describe("a configuration", () => {
  it.each(misfits)(
    "of other weights than %s has, %o, is refused with the tensor and both shapes",
    async (name, config, message) => {
      await expectRefusal(name, config, { code: "corrupt_file", message: expect.stringMatching(message) });
    },
  );

  it.each(impossible)(
    "of %s that no model can have, %o, is refused by the field's name",
    async (name, config, field) => {
      await expectRefusal(name, config, { code: "unsupported_model", param: field });
    },
  );

  it.each([0, -1, "x"])("whose rotation has the base %o is refused", async (rope_theta) => {
    await expectRefusal("llama-gqa", { rope_theta }, { message: expect.stringContaining("rope_theta") });
  });
});

async function expectRefusal(
  name: Parameters<typeof editedGolden>[0],
  config: Record<string, unknown>,
  error: object,
): Promise<void> {
  const root = await temporaryFolder();
  const source = await editedGolden(name, { config });
  for (const dtype of ["fp32", "int8"] as const) {
    await expect(finish(convert(source, { root, dtype }))).rejects.toMatchObject({
      name: "HfmsError",
      ...error,
    });
  }
  expect(await graphFiles(root)).toEqual([]);
}
