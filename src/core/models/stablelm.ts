import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { setNorms } from "./decoder/changes.js";
import { headDimOf, llamaGguf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  max_position_embeddings: positions.default(4096),
  layer_norm_eps: z.number().positive().default(1e-5),
  hidden_act: z.literal("silu").default("silu"),
  use_qkv_bias: z.boolean().default(false),
  qk_layernorm: z.boolean().default(false),
  use_parallel_residual: z.boolean().default(false),
});

/** StableLM 1.6B to 12B: LayerNorms, a quarter of each head rotates. Source: transformers, models/stablelm. */
export const stablelm: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "stablelm",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config), { partial: 0.25 }));
    setBiases(spec, { qkv: config.use_qkv_bias });
    const epsilon = config.layer_norm_eps;
    setNorms(spec, { kind: "layer", bias: true, epsilon });
    for (const layer of spec.layers) {
      const { name, attention } = layer;
      if (config.use_parallel_residual) {
        layer.residual = "parallel";
        layer.norms = { attention: layer.norms.attention };
      }
      if (!config.qk_layernorm) continue;
      // Each head has a norm of its own.
      const heads = (module: string, count: number) =>
        Array.from({ length: count }, (_, head) => `${name}.self_attn.${module}.norms.${head}.weight`);
      attention.norms = {
        ...{ kind: "layer", over: "own-head", epsilon },
        query: heads("q_layernorm", attention.heads),
        key: heads("k_layernorm", attention.kvHeads),
      };
    }
    return spec;
  },

  // The converter makes one tensor of the heads' norms; such models are not built from GGUF.
  gguf: llamaGguf("stablelm", {
    config: (metadata, tensors) => ({
      layer_norm_eps: metadata.get("stablelm.attention.layer_norm_epsilon"),
      use_parallel_residual: metadata.get("stablelm.use_parallel_residual"),
      use_qkv_bias: tensors.has("blk.0.attn_q.bias"),
      qk_layernorm: tensors.has("blk.0.attn_q_norm.weight"),
    }),
  }),
};
