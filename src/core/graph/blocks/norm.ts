import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import { storeTable, storeVector } from "./matrix.js";

export interface Norm {
  /** Tensor names. RMSNorm has no bias. */
  weight: string;
  bias?: string;
  epsilon: number;
  /** Added to every weight: 1 where the model keeps what its weights are above 1. */
  offset?: number;
}

/** A norm without weights: all are 1. */
export interface BareNorm {
  weight?: undefined;
  bias?: undefined;
  size: number;
  epsilon: number;
  offset?: undefined;
}

/** Either kind, where a model says which. */
export type AnyNorm = { kind: "rms" | "layer" } & (Norm | BareNorm);

/** The norm of x [..., hidden], over the last axis. */
export function norm(g: GraphBuilder, name: string, x: Value, of: AnyNorm, ctx: BuildContext): Value {
  return of.kind === "rms" ? rmsNorm(g, name, x, of, ctx) : layerNorm(g, name, x, of, ctx);
}

/** Residual and norm in one operator: sum = x + delta (+ deltaBias), normed = norm(sum). */
export function addNorm(
  g: GraphBuilder,
  name: string,
  x: Value,
  delta: { y: Value; bias?: Value },
  of: AnyNorm,
  ctx: BuildContext,
): { normed: Value; sum: Value } {
  return of.kind === "rms"
    ? addRmsNorm(g, name, x, delta.y, of, ctx, delta.bias)
    : addLayerNorm(g, name, x, delta.y, delta.bias, of, ctx);
}

/** RMSNorm: x · rsqrt(mean(x²) + ε) · w, over the last axis of x [..., hidden]. */
export function rmsNorm(
  g: GraphBuilder,
  name: string,
  x: Value,
  norm: Norm | BareNorm,
  ctx: BuildContext,
): Value {
  const weight = storeWeight(g, name, norm, ctx);
  return g.at(name).node("SimplifiedLayerNormalization", [x, weight], {
    axis: -1,
    epsilon: { float: norm.epsilon },
    stash_type: 1,
  });
}

/**
 * Residual and norm in one operator: sum = x + delta, normed = RMSNorm(sum).
 *
 *   x ──┬─ SkipSimplifiedLayerNormalization ─┬─ normed
 *   delta                                    └─ sum
 */
export function addRmsNorm(
  g: GraphBuilder,
  name: string,
  x: Value,
  delta: Value,
  norm: Norm | BareNorm,
  ctx: BuildContext,
  deltaBias?: Value,
): { normed: Value; sum: Value } {
  const weight = storeWeight(g, name, norm, ctx);
  const [normed, , , sum] = g
    .at(name)
    .nodes(
      "SkipSimplifiedLayerNormalization",
      [x, delta, weight, deltaBias],
      { epsilon: { float: norm.epsilon } },
      [undefined, null, null, undefined],
    );
  return { normed, sum };
}

/** LayerNorm: (x − mean) / sqrt(var + ε) · w + b, over the last axis of x [..., hidden]. */
export function layerNorm(
  g: GraphBuilder,
  name: string,
  x: Value,
  norm: Norm | BareNorm,
  ctx: BuildContext,
): Value {
  const { weight, bias } = storeLayerNorm(g, name, norm, ctx);
  return g
    .at(name)
    .node("LayerNormalization", [x, weight, bias], { axis: -1, epsilon: { float: norm.epsilon } });
}

/** Residual and LayerNorm in one operator: sum = x + delta (+ deltaBias), normed = LayerNorm(sum). */
export function addLayerNorm(
  g: GraphBuilder,
  name: string,
  x: Value,
  delta: Value,
  deltaBias: Value | undefined,
  norm: Norm | BareNorm,
  ctx: BuildContext,
  /** The name of the normed value, where it is an output of the graph. */
  as?: string,
): { normed: Value; sum: Value } {
  const { weight, bias } = storeLayerNorm(g, name, norm, ctx);
  const [normed, , , sum] = g
    .at(name)
    .nodes(
      "SkipLayerNormalization",
      [x, delta, weight, bias, deltaBias],
      { epsilon: { float: norm.epsilon } },
      [as, null, null, undefined],
    );
  return { normed, sum };
}

function storeLayerNorm(
  g: GraphBuilder,
  name: string,
  norm: Norm | BareNorm,
  ctx: BuildContext,
): { weight: Value; bias?: Value } {
  return {
    weight: storeWeight(g, name, norm, ctx),
    bias: norm.bias === undefined ? undefined : storeVector(g, `${g.scope(name)}.bias`, [norm.bias], ctx),
  };
}

function storeWeight(g: GraphBuilder, name: string, norm: Norm | BareNorm, ctx: BuildContext): Value {
  const full = `${g.scope(name)}.weight`;
  const { weight, offset } = norm;
  if (weight === undefined)
    return storeTable(g, full, [norm.size], () => new Float32Array(norm.size).fill(1));
  // Added in float32, as PyTorch does.
  return storeVector(g, full, [weight], ctx, offset === undefined ? undefined : (value) => value + offset);
}
