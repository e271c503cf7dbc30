import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import { embedding, type Table } from "./embedding.js";
import { product } from "./linear.js";
import { storeMatrix, storeVector } from "./matrix.js";

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

/** What some models do to logits, in this order. */
export interface LogitTransforms {
  /** Tensor of a bias, [vocabulary]. */
  bias?: string;
  /** A factor. */
  scale?: number;
  /** A logit l becomes softcap · tanh(l / softcap). */
  softcap?: number;
}

/** logits [n, vocabulary] = x [n, hidden] · headᵀ; the embedding table serves when the two are tied. */
export function lmHead(
  g: GraphBuilder,
  x: Value,
  head: { tied: Table } | { tensor: string },
  ctx: BuildContext,
  transforms: LogitTransforms = {},
): void {
  const at = g.at("lm_head");
  let matrix: Table;
  if ("tied" in head) matrix = head.tied;
  else {
    const [rows, columns] = ctx.weights.shape(head.tensor);
    const spec = { role: "lm_head" as const, rows, columns, tensors: [head.tensor] };
    matrix = { ...storeMatrix(g, g.scope("lm_head"), spec, ctx), rows, columns };
  }
  const { bias, scale, softcap } = transforms;
  const plain = bias === undefined && (scale ?? 1) === 1 && softcap === undefined;
  const name = plain ? "logits" : undefined;
  const quantized = matrix.format.bits !== 32;
  let logits = product(at, x, matrix, { as: quantized ? undefined : name });
  if (quantized) logits = exactBest(at, x, logits, matrix, name);
  if (!plain) logits = transformed(at, logits, transforms, ctx);
  g.output(logits, "float32", ["logits_count", matrix.rows]);
}

function transformed(
  g: GraphBuilder,
  logits: Value,
  { bias, scale = 1, softcap }: LogitTransforms,
  ctx: BuildContext,
): Value {
  const steps: [op: string, operand?: Value][] = [];
  const scalar = (value: number) => g.constant("float32", [], [value]);
  if (bias !== undefined) steps.push(["Add", storeVector(g, g.scope("bias"), [bias], ctx)]);
  if (scale !== 1) steps.push(["Mul", scalar(scale)]);
  if (softcap !== undefined) steps.push(["Div", scalar(softcap)], ["Tanh"], ["Mul", scalar(softcap)]);
  let value = logits;
  for (const [i, [op, operand]] of steps.entries()) {
    const as = i === steps.length - 1 ? "logits" : undefined;
    value = g.node(op, operand ? [value, operand] : [value], {}, as);
  }
  return value;
}

/**
 * Rounding x to int8 moves logits by a few hundredths, enough to swap the best two where they are close. Their rows are
 * few, so they are multiplied again in float32.
 *
 *   logits → TopK ─ ids ─ rows of the table ─ MatMul(x) ─┐
 *      └──────────────┴───────────────────────────── ScatterElements → logits
 */
function exactBest(g: GraphBuilder, x: Value, logits: Value, matrix: Table, as: string | undefined): Value {
  const count = Math.min(EXACT, matrix.rows);
  const k = g.constant("int64", [1], [count]);
  const [, ids] = g.nodes("TopK", [logits, k], { axis: -1, sorted: 0 }, [undefined, undefined]);
  const rows = embedding(g, "exact", ids, matrix);
  const last = g.constant("int64", [1], [-1]);
  const exact = g.node("Squeeze", [g.node("MatMul", [rows, g.node("Unsqueeze", [x, last])]), last]);
  return g.node("ScatterElements", [logits, ids, exact], { axis: 1 }, as);
}
