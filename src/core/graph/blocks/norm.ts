import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import { storeVector } from "./matrix.js";

export interface Norm {
  /** Tensor names. RMSNorm has no bias. */
  weight: string;
  bias?: string;
  epsilon: number;
}

/** RMSNorm: x · rsqrt(mean(x²) + ε) · w, over the last axis of x [..., hidden]. */
export function rmsNorm(g: GraphBuilder, name: string, x: Value, norm: Norm, ctx: BuildContext): Value {
  const weight = storeVector(g, `${g.scope(name)}.weight`, [norm.weight], ctx);
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
  norm: Norm,
  ctx: BuildContext,
): { normed: Value; sum: Value } {
  const weight = storeVector(g, `${g.scope(name)}.weight`, [norm.weight], ctx);
  const [normed, , , sum] = g
    .at(name)
    .nodes("SkipSimplifiedLayerNormalization", [x, delta, weight], { epsilon: { float: norm.epsilon } }, [
      undefined,
      null,
      null,
      undefined,
    ]);
  return { normed, sum };
}

/** LayerNorm: (x − mean) / sqrt(var + ε) · w + b, over the last axis of x [..., hidden]. */
export function layerNorm(g: GraphBuilder, name: string, x: Value, norm: Norm, ctx: BuildContext): Value {
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
  norm: Norm,
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
  norm: Norm,
  ctx: BuildContext,
): { weight: Value; bias?: Value } {
  const scope = g.scope(name);
  return {
    weight: storeVector(g, `${scope}.weight`, [norm.weight], ctx),
    bias: norm.bias === undefined ? undefined : storeVector(g, `${scope}.bias`, [norm.bias], ctx),
  };
}
