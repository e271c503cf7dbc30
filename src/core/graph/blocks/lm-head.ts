import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import type { Table } from "./embedding.js";
import { product } from "./linear.js";
import { type StoredMatrix, storeMatrix } from "./matrix.js";

/**
 * The rows of x [batch, sequence, hidden] that get logits: [n, hidden]. Everything behind it costs only those rows,
 * which in a prefill is one of hundreds.
 */
export function selectRows(g: GraphBuilder, x: Value, hidden: number, indices: Value): Value {
  const flat = g.node("Reshape", [x, g.constant("int64", [2], [-1, hidden])]);
  return g.node("Gather", [flat, indices], { axis: 0 });
}

/** logits [n, vocabulary] = x [n, hidden] · headᵀ; the embedding table serves when the two are tied. */
export function lmHead(
  g: GraphBuilder,
  x: Value,
  head: { tied: Table } | { tensor: string },
  ctx: BuildContext,
): void {
  const at = g.at("lm_head");
  let matrix: StoredMatrix & { rows: number; columns: number };
  if ("tied" in head) matrix = head.tied;
  else {
    const [rows, columns] = ctx.weights.shape(head.tensor);
    const stored = storeMatrix(
      g,
      g.scope("lm_head"),
      { role: "lm_head", rows, columns, tensors: [head.tensor] },
      ctx,
    );
    matrix = { ...stored, rows, columns };
  }
  g.output(product(at, x, matrix, undefined, "logits"), "float32", ["logits_count", matrix.rows]);
}
