import { embedding, storeTableOf, type Table } from "../../graph/blocks/embedding.js";
import { storeTable } from "../../graph/blocks/matrix.js";
import { layerNorm } from "../../graph/blocks/norm.js";
import type { GraphBuilder, Value } from "../../graph/builder.js";
import type { BuildContext, ModelWeights } from "../../graph/model-weights.js";
import type { EncoderDecoderSpec, PositionSpec, StackSpec } from "./spec.js";

/**
 * What goes into the first layer, [batch, sequence, hidden], of ids [batch, sequence] at positions [sequence] or
 * [batch, sequence].
 *
 *   ids → table · scale → Add(positions) → norm
 */
export function embed(
  g: GraphBuilder,
  ids: Value,
  positions: Value,
  stack: StackSpec,
  { hidden, norm: { epsilon } }: EncoderDecoderSpec,
  ctx: BuildContext,
): { x: Value; table: Table } {
  const name = tableIn(ctx.weights, stack.table);
  const table = storeTableOf(g, name, `${name}.weight`, ctx);
  let x = embedding(g, name, ids, table);
  const { tableScale = 1, embeddingNorm } = stack;
  if (tableScale !== 1) x = g.node("Mul", [x, g.constant("float32", [], [tableScale])]);
  const normed = (value: Value, module: string): Value =>
    layerNorm(g, module, value, { weight: `${module}.weight`, bias: `${module}.bias`, epsilon }, ctx);
  if (embeddingNorm?.of === "words") x = normed(x, embeddingNorm.module);
  if (stack.positions) x = g.node("Add", [x, positionVectors(g, positions, stack.positions, hidden, ctx)]);
  if (embeddingNorm?.of === "sum") x = normed(x, embeddingNorm.module);
  return { x, table };
}

/** How many positions a stack has vectors for. */
export function positionsOf({ positions }: StackSpec, weights: ModelWeights): number {
  if (!positions) return Number.POSITIVE_INFINITY;
  const tensor = `${positions.module}.weight`;
  const rows = weights.has(tensor) ? weights.shape(tensor)[0] : positions.computed?.rows;
  return (rows ?? 0) - positions.offset;
}

/** Of tied tables a file may keep any. */
function tableIn(weights: ModelWeights, module: string): string {
  const names = [module, "shared", "encoder.embed_tokens", "decoder.embed_tokens", "lm_head"];
  return names.find((name) => weights.has(`${name}.weight`)) ?? module;
}

function positionVectors(
  g: GraphBuilder,
  positions: Value,
  of: PositionSpec,
  hidden: number,
  ctx: BuildContext,
): Value {
  const rows = of.offset === 0 ? positions : g.node("Add", [positions, g.constant("int64", [], [of.offset])]);
  if (!of.computed || ctx.weights.has(`${of.module}.weight`)) {
    const table = storeTableOf(g, of.module, `${of.module}.weight`, ctx, "position");
    return embedding(g, of.module, rows, table);
  }
  const table = storeTable(g, g.scope("positions.weight"), [of.computed.rows, hidden], of.computed.values);
  return g.node("Gather", [table, rows], { axis: 0 });
}
