import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import { embedding, type Table } from "./embedding.js";
import { product } from "./linear.js";
import { storeMatrix } from "./matrix.js";

/**
 * The rows of x [batch, sequence, hidden] that get logits: [n, hidden]. Everything behind it costs only those rows,
 * which in a prefill is one of hundreds.
 */
export function selectRows(g: GraphBuilder, x: Value, hidden: number, indices: Value): Value {
  const flat = g.node("Reshape", [x, g.constant("int64", [2], [-1, hidden])]);
  return g.node("Gather", [flat, indices], { axis: 0 });
}

/** How many of the best logits are computed once more, without rounding. */
const EXACT = 64;

/** logits [n, vocabulary] = x [n, hidden] · headᵀ; the embedding table serves when the two are tied. */
export function lmHead(
  g: GraphBuilder,
  x: Value,
  head: { tied: Table } | { tensor: string },
  ctx: BuildContext,
): void {
  const at = g.at("lm_head");
  let matrix: Table;
  if ("tied" in head) matrix = head.tied;
  else {
    const [rows, columns] = ctx.weights.shape(head.tensor);
    const spec = { role: "lm_head" as const, rows, columns, tensors: [head.tensor] };
    matrix = { ...storeMatrix(g, g.scope("lm_head"), spec, ctx), rows, columns };
  }
  const quantized = matrix.format.bits !== 32;
  const logits = product(at, x, matrix, { as: quantized ? undefined : "logits" });
  g.output(quantized ? exactBest(at, x, logits, matrix) : logits, "float32", ["logits_count", matrix.rows]);
}

/**
 * Rounding x to int8 moves logits by a few hundredths, enough to swap the best two where they are close. Their rows are
 * few, so they are multiplied again in float32.
 *
 *   logits → TopK ─ ids ─ rows of the table ─ MatMul(x) ─┐
 *      └──────────────┴───────────────────────────── ScatterElements → logits
 */
function exactBest(g: GraphBuilder, x: Value, logits: Value, matrix: Table): Value {
  const count = Math.min(EXACT, matrix.rows);
  const k = g.constant("int64", [1], [count]);
  const [, ids] = g.nodes("TopK", [logits, k], { axis: -1, sorted: 0 }, [undefined, undefined]);
  const rows = embedding(g, "exact", ids, matrix);
  const last = g.constant("int64", [1], [-1]);
  const exact = g.node("Squeeze", [g.node("MatMul", [rows, g.node("Unsqueeze", [x, last])]), last]);
  return g.node("ScatterElements", [logits, ids, exact], { axis: 1 }, "logits");
}
