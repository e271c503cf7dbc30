import { z } from "zod";
import { activate, activationNames } from "../graph/blocks/activation.js";
import { linear } from "../graph/blocks/linear.js";
import { project } from "../graph/blocks/mlp.js";
import { norm } from "../graph/blocks/norm.js";
import { readRope } from "../graph/blocks/rope-config.js";
import { parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { headDimOf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import { type DecoderSpec, type NormSpec, normOf } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  rms_norm_eps: z.number().positive().default(1e-5),
  attention_bias: z.boolean().default(false),
  hidden_act: z.enum(activationNames).default("relu2"),
  // Packed weights of three values, and weights that become so on the way, are not built.
  quantization_config: z.null().optional(),
});

/** BitNet with plain weights: norms before the last matrix of attention and MLP. Source: transformers, models/bitnet. */
export const bitnet: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "bitnet",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config), { theta: 500_000 }));
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias });
    const { hidden_size: hidden, intermediate_size: inner, rms_norm_eps: epsilon } = config;
    for (const layer of spec.layers) {
      const { name } = layer;
      const named = (module: string): NormSpec => ({ kind: "rms", module: `${name}.${module}`, epsilon });
      layer.attention.innerNorm = named("self_attn.attn_sub_norm");
      const [gate, up, down] = ["gate", "up", "down"].map((part) => `${name}.mlp.${part}_proj`);
      layer.mlp = {
        kind: "own",
        shapes: { [gate]: [inner, hidden], [up]: [inner, hidden], [down]: [hidden, inner] },
        build(g, x, ctx) {
          const tensors = [`${gate}.weight`, `${up}.weight`];
          const both = linear(g, "gate_up_proj", x, { role: "mlp_up", tensors }, ctx);
          const [opening, values] = g.nodes("Split", [both], { axis: -1, num_outputs: 2 }, [
            undefined,
            undefined,
          ]);
          const active = g.node("Mul", [activate(g, opening, config.hidden_act), values]);
          const normed = norm(g, "ffn_sub_norm", active, normOf(named("mlp.ffn_sub_norm"), inner), ctx);
          return project(g, "down_proj", normed, { role: "mlp_down", tensors: [`${down}.weight`] }, ctx);
        },
      };
    }
    return spec;
  },
};
