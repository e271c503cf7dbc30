import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import { type Activation, activate } from "./activation.js";
import { product, storeLinear } from "./linear.js";
import { layerNorm } from "./norm.js";

/** A head's linear layer and whether it has a bias. Always float32: it decides everything, and costs little. */
export function headLinear(
  g: GraphBuilder,
  name: string,
  x: Value,
  { module, biased = true }: { module: string; biased?: boolean },
  ctx: BuildContext,
): Value {
  const bias = biased ? [`${module}.bias`] : undefined;
  const stored = storeLinear(g, name, { role: "classifier", tensors: [`${module}.weight`], bias }, ctx);
  return product(g.at(name), x, stored.matrix, { bias: stored.bias, compute: ctx.compute });
}

/** A layer before the scores. */
export interface Pooler {
  module: string;
  /** The layer has a bias; by default it has. */
  biased?: boolean;
  activation: Activation;
  norm?: { module: string; bias?: boolean; epsilon: number };
}

/** Modules of a head that judges a whole text. */
export interface ClassifierHead {
  pooler?: Pooler;
  scores: string;
  /** Whether the first token is judged (by default), the mean of all, or each, and then the mean is taken. */
  pooling?: "first" | "mean" | "each";
}

/**
 * logits [batch, labels] of x [batch, sequence, hidden], whose rows are `lengths` [batch] long.
 *
 *   x → Slice(tokens 0 and 1) → linear(pooler) → act → norm → linear(scores) → Gather(token 0) → logits
 *
 * The second token is company: the runtime multiplies a single row by other kernels, which round otherwise, and a text
 * alone would get other bits than among others. A mean stands twice for the same reason.
 */
export function classifierHead(
  g: GraphBuilder,
  { x, lengths }: { x: Value; lengths?: Value },
  { pooler, scores: module, pooling = "first" }: ClassifierHead,
  labels: number,
  ctx: BuildContext,
): Value {
  const at = g.at("classifier");
  const int64 = (...values: number[]): Value => g.constant("int64", [values.length], values);
  let judged = x;
  if (pooling === "first") judged = at.node("Slice", [x, int64(0), int64(2), int64(1)]);
  else if (pooling === "mean") {
    const mean = at.node("Unsqueeze", [meanOf(at, x, lengths), int64(1)]);
    judged = at.node("Concat", [mean, mean], { axis: 1 });
  }
  if (pooler) judged = pooled(at, judged, pooler, ctx);
  const scores = headLinear(at, "scores", judged, { module }, ctx);
  const logits =
    pooling === "each"
      ? meanOf(at, scores, lengths, "logits")
      : at.node("Gather", [scores, g.constant("int64", [], [0])], { axis: 1 }, "logits");
  g.output(logits, "float32", ["batch_size", labels]);
  return logits;
}

/** norm(act(linear(x))) for x [..., hidden]. */
export function pooled(
  g: GraphBuilder,
  x: Value,
  { module, biased, activation, norm }: Pooler,
  ctx: BuildContext,
): Value {
  const active = activate(g, headLinear(g, "pooler", x, { module, biased }, ctx), activation);
  if (!norm) return active;
  const { bias = true, epsilon } = norm;
  const names = {
    weight: `${norm.module}.weight`,
    ...(bias && { bias: `${norm.module}.bias` }),
    epsilon,
  };
  return layerNorm(g, "pooler.norm", active, names, ctx);
}

/** ONNX's numbers of the types (TensorProto.DataType). */
const FLOAT = 1;
const INT64 = 7;

/**
 * The mean [batch, n] of the first `lengths` rows of x [batch, sequence, n].
 *
 *   x → CumSum → GatherND(lengths - 1) → Div(lengths)
 *
 * A running sum doesn't know what comes behind; other sums are split where the longest row of the batch says.
 */
function meanOf(g: GraphBuilder, x: Value, lengths: Value | undefined, as?: string): Value {
  if (lengths === undefined) throw new Error("a mean needs the rows' lengths");
  const int64 = (...values: number[]): Value => g.constant("int64", [values.length], values);
  const sums = g.node("CumSum", [x, g.constant("int64", [], [1])]);
  const last = g.node("Sub", [g.node("Cast", [lengths], { to: INT64 }), int64(1)]);
  const whole = g.node("GatherND", [sums, g.node("Unsqueeze", [last, int64(1)])], { batch_dims: 1 });
  const counts = g.node("Unsqueeze", [g.node("Cast", [lengths], { to: FLOAT }), int64(1)]);
  return g.node("Div", [whole, counts], {}, as);
}
