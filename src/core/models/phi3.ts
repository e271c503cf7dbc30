import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { setFusedGateUp } from "./decoder/changes.js";
import { headDimOf, llamaGguf, llamaSchema, llamaSpec } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  max_position_embeddings: positions.default(4096),
  original_max_position_embeddings: positions.default(4096),
  rms_norm_eps: z.number().positive().default(1e-5),
  hidden_act: z.literal("silu").default("silu"),
  sliding_window: count.nullish(),
});

/** Phi 3, 3.5 and 4: llama with fused matrices and longrope. Source: transformers, models/phi3/modeling_phi3.py. */
export const phi3: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "phi3",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const { original_max_position_embeddings } = config;
    const spec = llamaSpec(
      config,
      readRope({ ...raw, ...longrope(raw), original_max_position_embeddings }, headDimOf(config)),
    );
    for (const { name, attention } of spec.layers) {
      attention.qkv = { modules: [`${name}.self_attn.qkv_proj`] };
      attention.window = config.sliding_window ?? undefined;
    }
    setFusedGateUp(spec);
    return spec;
  },

  gguf: llamaGguf("phi3", {
    config: (metadata) => ({
      sliding_window: metadata.get("phi3.attention.sliding_window") || undefined,
      original_max_position_embeddings: metadata.get("phi3.rope.scaling.original_context_length"),
    }),
    tensors: {
      "blk.N.attn_qkv": "layers.N.self_attn.qkv_proj",
      "blk.N.ffn_up": "layers.N.mlp.gate_up_proj",
    },
  }),
};

/** The first files called it yarn. */
function longrope({ rope_scaling }: Record<string, unknown>): Record<string, unknown> {
  const scaling = rope_scaling as Record<string, unknown> | null | undefined;
  return scaling?.type === "yarn" ? { rope_scaling: { ...scaling, type: "longrope" } } : {};
}
