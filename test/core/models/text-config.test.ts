import { describe, expect, it } from "vitest";
import type { DecoderSpec } from "../../../src/core/models/decoder/spec.js";
import { architectureOf, textConfig } from "../../../src/core/models/index.js";

describe("the configuration of a model's text", () => {
  it("is that of the language model inside", () => {
    const inner = { model_type: "llama", hidden_size: 64, num_attention_heads: 4 };
    const config = textConfig({ model_type: "llava", tie_word_embeddings: true, text_config: inner });
    expect(config).toMatchObject({ ...inner, tie_word_embeddings: true });
  });

  it("is the whole where the model is known itself", () => {
    const config = { model_type: "llama", text_config: { model_type: "gpt2" } };
    expect(textConfig(config)).toBe(config);
  });

  it("has what the class has by default where it names nothing but the type, as LLaVA's do", async () => {
    const text = {
      model_type: "llama",
      max_position_embeddings: 4096,
      rms_norm_eps: 1e-5,
      vocab_size: 32_064,
    };
    const config = textConfig({ model_type: "llava", text_config: text });
    const spec = (await architectureOf("llama")).parseConfig(config) as DecoderSpec;
    expect(spec).toMatchObject({ hidden: 4096, contextLength: 4096 });
    expect(spec.layers).toHaveLength(32);
  });
});
