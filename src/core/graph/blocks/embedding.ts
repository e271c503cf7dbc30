import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import { type StoredMatrix, storeMatrix } from "./matrix.js";

/** A table of vectors [count, hidden] that ids choose rows of; an lm_head may share it. */
export type Table = StoredMatrix & { rows: number; columns: number };

export function storeTableOf(
  g: GraphBuilder,
  name: string,
  tensor: string,
  ctx: BuildContext,
  role: "embedding" | "position" = "embedding",
): Table {
  const [rows, columns] = ctx.weights.shape(tensor);
  const matrix = { role, rows, columns, tensors: [tensor] };
  return { ...storeMatrix(g, g.scope(name), matrix, ctx), rows, columns };
}

/**
 * Rows of a table: ids [...] give [..., hidden].
 *
 *   fp32: Gather
 *   int8: GatherBlockQuantized on the same bytes that lm_head multiplies with
 */
export function embedding(g: GraphBuilder, name: string, ids: Value, table: Table): Value {
  const at = g.at(name);
  if (table.format.bits === 32)
    return at.node("Gather", [(table as { weight: Value }).weight, ids], { axis: 0 });
  const { data, scales, format, rows, columns } = table as Extract<Table, { data: Value }>;
  const { bits, blockSize } = format;
  const packed = g.view(data, `${data}.rows`, [rows, (columns * bits) / 8]);
  return at.node("GatherBlockQuantized", [packed, ids, scales], {
    bits,
    block_size: blockSize,
    gather_axis: 0,
    quantize_axis: 1,
  });
}
