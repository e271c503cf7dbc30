import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import type { HeadShape } from "./attention.js";
import { type Linear, linear } from "./linear.js";

/**
 * Bidirectional self-attention without the output projection: x [batch, sequence, hidden] gives the same shape. Rows
 * are padded on the right; lengths [batch] says how far each is real, and what lies behind changes nothing.
 *
 *   x → linear(q | k | v) → Split → MultiHeadAttention(key_padding_mask = lengths) → y
 */
export function encoderAttention(
  g: GraphBuilder,
  x: Value,
  options: { qkv: Linear; shape: HeadShape; lengths: Value },
  ctx: BuildContext,
): Value {
  const packed = linear(g, "qkv_proj", x, options.qkv, ctx);
  const [q, k, v] = g.nodes("Split", [packed], { axis: -1, num_outputs: 3 }, [
    undefined,
    undefined,
    undefined,
  ]);
  return g.node("MultiHeadAttention", [q, k, v, undefined, options.lengths], {
    num_heads: options.shape.heads,
    scale: { float: options.shape.headDim ** -0.5 },
    mask_filter_value: { float: -3.4028234663852886e38 },
  });
}
