import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import type { HeadShape } from "./attention.js";
import { multiHeadAttention } from "./encoder-attention.js";
import { type Linear, linear } from "./linear.js";

/** What every layer's attention to the source text shares. */
export interface CrossInputs {
  /** [sources]: how far each is real. */
  lengths: Value;
  /** Shapes that x takes for attention, and that the result takes. */
  grouped: Value;
  flat: Value;
}

/**
 * Keys and values of a source text for one layer of the decoder, [sources, heads, length, headDim], out of the encoder's
 * states [sources, length, hidden]. They are outputs of the encoder's graph: computed once for a whole answer.
 *
 *   states → linear(k | v) → Split → Reshape → Transpose
 */
export function crossKeysValues(
  g: GraphBuilder,
  states: Value,
  { layer, keyValue, shape }: { layer: number; keyValue: Linear; shape: HeadShape },
  ctx: BuildContext,
): void {
  const both = linear(g, "kv_proj", states, keyValue, ctx);
  const parts = g.nodes("Split", [both], { axis: -1, num_outputs: 2 }, [undefined, undefined]);
  for (const [i, part] of (["key", "value"] as const).entries()) {
    const heads = g.node("Reshape", [parts[i], g.constant("int64", [4], [0, 0, shape.heads, shape.headDim])]);
    const output = g.node("Transpose", [heads], { perm: [0, 2, 1, 3] }, `cross.${layer}.${part}`);
    g.output(output, "float32", crossShape(shape));
  }
}

/** Declares what all layers share; `ids` [rows, sequence] and rows of one source follow each other. */
export function crossInputs(g: GraphBuilder, ids: Value, width: number): CrossInputs {
  const lengths = g.input("source_lengths", "int32", ["source_count"]);
  const last = g.constant("int64", [1], [width]);
  const any = g.constant("int64", [1], [-1]);
  const sources = g.node("Shape", [lengths], {});
  return {
    lengths,
    grouped: g.node("Concat", [sources, any, last], { axis: 0 }),
    flat: g.node("Concat", [g.node("Shape", [ids], {}), last], { axis: 0 }),
  };
}

/**
 * Attention of x [rows, sequence, hidden] to the source texts, without the output projection:
 * [rows, sequence, heads · headDim]. Each source has the same number of rows (the beams of one answer): they are the
 * queries of one attention, so that its keys and values are stored and read once.
 *
 *   x → linear(q) → Reshape [sources, rows / sources · sequence, …] → MultiHeadAttention(cross) → Reshape
 */
export function crossAttention(
  g: GraphBuilder,
  x: Value,
  options: { layer: number; query: Linear; shape: HeadShape; inputs: CrossInputs; scale?: number },
  ctx: BuildContext,
): Value {
  const { layer, query, shape, inputs, scale } = options;
  const key = g.input(`cross.${layer}.key`, "float32", crossShape(shape));
  const value = g.input(`cross.${layer}.value`, "float32", crossShape(shape));
  const q = g.node("Reshape", [linear(g, "q_proj", x, query, ctx), inputs.grouped]);
  const y = multiHeadAttention(g, [q, key, value], { shape, lengths: inputs.lengths, scale });
  return g.node("Reshape", [y, inputs.flat]);
}

function crossShape({ heads, headDim }: HeadShape) {
  return ["source_count", heads, "source_length", headDim];
}
