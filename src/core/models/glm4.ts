import { decoder } from "./decoder/architecture.js";
import { llamaGguf } from "./decoder/llama-like.js";
import type { DecoderSpec, NormSpec } from "./decoder/spec.js";
import { glm } from "./glm.js";
import type { Architecture } from "./types.js";

/** GLM-4 0414: GLM with norms of what attention and MLP give. Source: transformers, models/glm4/modeling_glm4.py. */
export const glm4: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "glm4",

  parseConfig(raw) {
    const spec = glm.parseConfig(raw);
    for (const { name, norms } of spec.layers) {
      const named = (module: string): NormSpec => ({
        ...(norms.mlp as NormSpec),
        module: `${name}.${module}`,
      });
      norms.attentionOutput = named("post_self_attn_layernorm");
      norms.mlpOutput = named("post_mlp_layernorm");
    }
    return spec;
  },

  gguf: llamaGguf("glm4", {
    tensors: {
      "blk.N.ffn_up": "layers.N.mlp.gate_up_proj",
      "blk.N.post_attention_norm": "layers.N.post_self_attn_layernorm",
      "blk.N.post_ffw_norm": "layers.N.post_mlp_layernorm",
    },
  }),
};
