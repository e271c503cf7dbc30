import { z } from "zod";
import { linear } from "../graph/blocks/linear.js";
import { storeVector } from "../graph/blocks/matrix.js";
import { project } from "../graph/blocks/mlp.js";
import { readRope } from "../graph/blocks/rope-config.js";
import type { GraphBuilder, Value } from "../graph/builder.js";
import type { BuildContext } from "../graph/model-weights.js";
import { parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { setHeadNorms } from "./decoder/changes.js";
import { headDimOf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const BETA = 0.5;

const schema = llamaSchema({
  max_position_embeddings: positions.default(65_536),
  rms_norm_eps: z.number().positive().default(1e-5),
  attention_bias: z.boolean().default(false),
  hidden_act: z.literal("xielu").default("xielu"),
});

/** Apertus: norms of heads, and an MLP whose activation is learned. Source: transformers, models/apertus. */
export const apertus: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "apertus",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config), { theta: 12_000_000 }));
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias });
    setHeadNorms(spec, { kind: "rms", over: "head", epsilon: config.rms_norm_eps });
    const { hidden_size: hidden, intermediate_size: inner } = config;
    for (const layer of spec.layers) {
      const { norms, name } = layer;
      if (norms.attention) norms.attention.module = `${name}.attention_layernorm`;
      if (norms.mlp) norms.mlp.module = `${name}.feedforward_layernorm`;
      const [up, down] = ["up_proj", "down_proj"].map((module) => `${name}.mlp.${module}`);
      layer.mlp = {
        kind: "own",
        shapes: { [up]: [inner, hidden], [down]: [hidden, inner] },
        build(g, x, ctx) {
          const raised = linear(g, "up_proj", x, { role: "mlp_up", tensors: [`${up}.weight`] }, ctx);
          const active = xielu(g, raised, `${name}.mlp.act_fn`, ctx);
          return project(g, "down_proj", active, { role: "mlp_down", tensors: [`${down}.weight`] }, ctx);
        },
      };
    }
    return spec;
  },
};

/**
 * xIELU: αp · x² + β · x above 0, αn · (eˣ − 1 − x) + β · x below. The file has the inverse softplus of αp and of αn − β.
 * Source: Huang and Schlag, Deriving Activation Functions Using Integration (2024).
 */
function xielu(g: GraphBuilder, x: Value, module: string, ctx: BuildContext): Value {
  const softplus = (value: number) => Math.log1p(Math.exp(value));
  const alpha = (name: string, map: (value: number) => number) =>
    storeVector(g, g.scope(`act_fn.${name}`), [`${module}.${name}`], ctx, map);
  const above = g.node("Relu", [x]);
  const square = g.node("Mul", [g.node("Mul", [above, above]), alpha("alpha_p", softplus)]);
  const below = g.node("Sub", [g.node("Elu", [x]), x]); // above 0 it is 0
  const curve = g.node("Mul", [below, alpha("alpha_n", (value) => BETA + softplus(value))]);
  const line = g.node("Mul", [x, g.constant("float32", [], [BETA])]);
  return g.node("Add", [g.node("Add", [square, curve]), line]);
}
