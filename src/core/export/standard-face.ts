import type { GraphBuilder, Value } from "../graph/builder.js";
import type { GraphFace } from "../graph/face.js";
import type { Dimension } from "../graph/proto.js";

/** ONNX's number of the type (TensorProto.DataType). */
const INT32 = 6;

const TOKENS: readonly Dimension[] = ["batch_size", "sequence_length"];
/** What `logits` is called before it has its shape. */
const FLAT_LOGITS = "logits.flat";

/**
 * Inputs and outputs as transformers.js and Optimum name them. Rows are padded on the right.
 *
 * A decoder takes input_ids [batch, sequence], attention_mask [batch, total], past_key_values.N.key and .value [batch,
 * heads, past, size], and gives logits [batch, sequence, vocabulary] and present.N.*. An encoder takes input_ids,
 * attention_mask and token_type_ids, where the model has segments, and gives last_hidden_state, and logits of a head.
 */
export function standardFace(kind: "decoder" | "encoder"): GraphFace {
  let mask: Value | undefined;
  let shaped = false;
  const attentionMask = (g: GraphBuilder): Value => {
    const width = kind === "decoder" ? "total_sequence_length" : "sequence_length";
    mask ??= g.input("attention_mask", "int64", ["batch_size", width]);
    return mask;
  };
  const last = (g: GraphBuilder) => g.constant("int64", [1], [-1]);
  const rowLengths = (g: GraphBuilder): Value =>
    g.node("ReduceSum", [attentionMask(g), last(g)], { keepdims: 0 });
  const size = (g: GraphBuilder, of: Value, axis: number): Value =>
    g.node("Squeeze", [g.node("Shape", [of], { start: axis, end: axis + 1 }), g.constant("int64", [1], [0])]);
  const upTo = (g: GraphBuilder, count: Value): Value =>
    g.node("Range", [g.constant("int64", [], [0]), count, g.constant("int64", [], [1])]);
  const ids = "input_ids" as Value;

  const made: Record<string, (g: GraphBuilder) => Value> = {
    seqlens_k: (g) =>
      g.node("Cast", [g.node("Sub", [rowLengths(g), g.constant("int64", [1], [1])])], { to: INT32 }),
    total_sequence_length: (g) => g.node("Cast", [size(g, attentionMask(g), 1)], { to: INT32 }),
    lengths: (g) => g.node("Cast", [rowLengths(g)], { to: INT32 }),
    logits_indices: (g) => upTo(g, g.node("Mul", [size(g, ids, 0), size(g, ids, 1)])),
    ...(kind === "encoder" && { position_ids: (g: GraphBuilder) => upTo(g, size(g, ids, 1)) }),
  };

  return {
    input: (g, name) => (Object.hasOwn(made, name) ? made[name](g.at("interface")) : undefined),
    dimensions(name, shape) {
      const length = name.startsWith("present.") ? "total_sequence_length" : "past_sequence_length";
      return shape.map((size) => (size === "capacity" ? length : size));
    },
    inner: (name) => (name === "logits" && !shaped ? FLAT_LOGITS : name),
    output(g, name, type, shape) {
      if (name !== FLAT_LOGITS) return false;
      shaped = true;
      const at = g.at("interface");
      const logits = "logits" as Value;
      if (shape[0] !== "logits_count") {
        at.node("Identity", [FLAT_LOGITS as Value], {}, logits);
        g.output(logits, type, shape);
        return true;
      }
      const vocabulary = shape.at(-1) as number;
      const rows = at.node("Shape", [ids], { start: 0, end: 2 });
      const apart = at.node("Concat", [rows, at.constant("int64", [1], [vocabulary])], { axis: 0 });
      at.node("Reshape", [FLAT_LOGITS as Value, apart], {}, "logits");
      g.output(logits, type, [...TOKENS, vocabulary]);
      return true;
    },
  };
}
