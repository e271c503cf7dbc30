import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import { type Activation, activate } from "./activation.js";
import { product, storeLinear } from "./linear.js";

/** A head's linear layer. Always float32: it decides everything, and costs little. */
export function headLinear(
  g: GraphBuilder,
  name: string,
  x: Value,
  module: string,
  ctx: BuildContext,
): Value {
  const bias = ctx.weights.has(`${module}.bias`) ? [`${module}.bias`] : undefined;
  const stored = storeLinear(g, name, { role: "classifier", tensors: [`${module}.weight`], bias }, ctx);
  return product(g.at(name), x, stored.matrix, { bias: stored.bias, compute: ctx.compute });
}

/** Modules of a head that judges a whole text. */
export interface ClassifierHead {
  /** A layer before the scores, with its activation. */
  pooler?: { module: string; activation: Activation };
  scores: string;
}

/**
 * logits [batch, labels] of x [batch, sequence, hidden], of the first token of each text.
 *
 *   x → Slice(tokens 0 and 1) → linear(pooler) → act → linear(scores) → Gather(token 0) → logits
 *
 * The second token is company: the runtime multiplies a single row by other kernels, which round otherwise, and a text
 * alone would get other bits than among others.
 */
export function classifierHead(
  g: GraphBuilder,
  x: Value,
  { pooler, scores: module }: ClassifierHead,
  labels: number,
  ctx: BuildContext,
): Value {
  const at = g.at("classifier");
  const int64 = (value: number): Value => g.constant("int64", [1], [value]);
  let first = at.node("Slice", [x, int64(0), int64(2), int64(1)]);
  if (pooler) first = activate(at, headLinear(at, "pooler", first, pooler.module, ctx), pooler.activation);
  const scores = headLinear(at, "scores", first, module, ctx);
  const logits = at.node("Gather", [scores, g.constant("int64", [], [0])], { axis: 1 }, "logits");
  g.output(logits, "float32", ["batch_size", labels]);
  return logits;
}
