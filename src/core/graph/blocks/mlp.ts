import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import { type Linear, linear, product, storeLinear } from "./linear.js";

/**
 * SwiGLU: down(silu(gate(x)) · up(x)). gate and up are one product; silu(a) = a · sigmoid(a) is QuickGelu with α = 1.
 *
 *   x → linear(gate | up) → Split ─ gate → QuickGelu ─┐
 *                             └──── up ───────────── Mul → linear(down)
 */
export function gatedMlp(g: GraphBuilder, x: Value, gateUp: Linear, down: Linear, ctx: BuildContext): Value {
  const both = linear(g, "gate_up_proj", x, gateUp, ctx);
  const [gate, up] = g.nodes("Split", [both], { axis: -1, num_outputs: 2 }, [undefined, undefined]);
  const active = g.node("QuickGelu", [gate], { alpha: { float: 1 } });
  return linear(g, "down_proj", g.node("Mul", [active, up]), down, ctx);
}

/** Names of `hidden_act` in config.json: gelu_new and kin are the tanh approximation. */
export const activations = {
  gelu: "BiasGelu",
  gelu_new: "FastGelu",
  gelu_pytorch_tanh: "FastGelu",
  gelu_fast: "FastGelu",
  relu: "Relu",
} as const;

export type Activation = keyof typeof activations;

/**
 * out(act(in(x) + b)), the output layer's bias left to the caller, whose residual operator adds it.
 *
 *   x → product → BiasGelu | FastGelu (bias inside) | Add → Relu → product
 */
export function mlp(
  g: GraphBuilder,
  x: Value,
  options: { up: Linear; down: Linear; activation: Activation },
  ctx: BuildContext,
): { y: Value; bias: Value | undefined } {
  const up = storeLinear(g, "up_proj", options.up, ctx);
  const raw = product(g.at("up_proj"), x, up.matrix, { compute: ctx.compute });
  const op = activations[options.activation];
  let active: Value;
  if (op === "Relu" || !up.bias) {
    const biased = up.bias ? g.node("Add", [raw, up.bias]) : raw;
    active =
      op === "Relu" ? g.node("Relu", [biased]) : g.node(op === "BiasGelu" ? "Gelu" : "FastGelu", [biased]);
  } else {
    active = g.node(op, [raw, up.bias]);
  }
  const down = storeLinear(g, "down_proj", options.down, ctx);
  return { y: product(g.at("down_proj"), active, down.matrix, { compute: ctx.compute }), bias: down.bias };
}
