import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import { type Activation, activate, biasedActivate } from "./activation.js";
import { type Linear, linear, product, storeLinear } from "./linear.js";

/** What a branch adds to the residual; the bias is left to the residual's operator. */
export interface Delta {
  y: Value;
  bias?: Value;
}

/**
 * A gated MLP: down(act(gate(x)) · up(x)); SwiGLU where the activation is silu. gate and up are one product.
 *
 *   x → linear(gate | up) → Split ─ gate → act ─┐
 *                             └──── up ─────── Mul → product(down)
 */
export function gatedMlp(
  g: GraphBuilder,
  x: Value,
  options: { gateUp: Linear; down: Linear; activation: Activation },
  ctx: BuildContext,
): Delta {
  const both = linear(g, "gate_up_proj", x, options.gateUp, ctx);
  const [gate, up] = g.nodes("Split", [both], { axis: -1, num_outputs: 2 }, [undefined, undefined]);
  const inner = g.node("Mul", [activate(g, gate, options.activation), up]);
  return project(g, "down_proj", inner, options.down, ctx);
}

/**
 * A gated MLP whose product has gate and up by turns: down(gate · sigmoid(alpha · gate) · (up + 1)), with gate cut to at
 * most `limit` and up to [-limit, limit].
 *
 *   x → linear(gate, up, gate …) → Reshape → Split ─ gate → Min → QuickGelu ─┐
 *                                               └── up → Clip → Add(1) ───── Mul → product(down)
 */
export function clampedMlp(
  g: GraphBuilder,
  x: Value,
  options: { gateUp: Linear; down: Linear; inner: number; alpha: number; limit: number },
  ctx: BuildContext,
): Delta {
  const { gateUp, down, inner, alpha, limit } = options;
  const ints = (...list: number[]): Value => g.constant("int64", [list.length], list);
  const number = (value: number): Value => g.constant("float32", [], [value]);
  const both = g.node("Reshape", [linear(g, "gate_up_proj", x, gateUp, ctx), ints(-1, inner, 2)]);
  const parts = g.nodes("Split", [both], { axis: -1, num_outputs: 2 }, [undefined, undefined]);
  const [gate, up] = parts.map((part) => g.node("Squeeze", [part, ints(-1)]));
  const open = g.node("QuickGelu", [g.node("Min", [gate, number(limit)])], { alpha: { float: alpha } });
  const shifted = g.node("Add", [g.node("Clip", [up, number(-limit), number(limit)]), number(1)]);
  return project(g, "down_proj", g.node("Mul", [open, shifted]), down, ctx);
}

/**
 * out(act(in(x) + b)).
 *
 *   x → product → activation with its bias → product
 */
export function mlp(
  g: GraphBuilder,
  x: Value,
  options: { up: Linear; down: Linear; activation: Activation },
  ctx: BuildContext,
): Delta {
  const up = storeLinear(g, "up_proj", options.up, ctx);
  const raw = product(g.at("up_proj"), x, up.matrix, { compute: ctx.compute });
  return project(g, "down_proj", biasedActivate(g, raw, up.bias, options.activation), options.down, ctx);
}

/** A linear layer whose bias is left to what comes after it. */
export function project(g: GraphBuilder, name: string, x: Value, of: Linear, ctx: BuildContext): Delta {
  const { matrix, bias } = storeLinear(g, name, of, ctx);
  return { y: product(g.at(name), x, matrix, { compute: ctx.compute }), bias };
}
