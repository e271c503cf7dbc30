import { embedding, storeTableOf, type Table } from "../../graph/blocks/embedding.js";
import { linear } from "../../graph/blocks/linear.js";
import { layerNorm } from "../../graph/blocks/norm.js";
import type { GraphBuilder, Value } from "../../graph/builder.js";
import type { BuildContext } from "../../graph/model-weights.js";
import type { EncoderSpec, TokenDropout } from "./spec.js";

/** What an encoder's graph takes. Each is there even where the graph has no use for it. */
export interface EncoderInputs {
  /** [batch, sequence]; rows are padded on the right. */
  inputIds: Value;
  /** Segments, [batch, sequence]. */
  tokenTypeIds: Value;
  /** 0 and on, [sequence]. */
  positionIds: Value;
  /** How far each row is real, [batch]. */
  lengths: Value;
}

export function encoderInputs(g: GraphBuilder): EncoderInputs {
  return {
    inputIds: g.input("input_ids", "int64", ["batch_size", "sequence_length"]),
    tokenTypeIds: g.input("token_type_ids", "int64", ["batch_size", "sequence_length"]),
    positionIds: g.input("position_ids", "int64", ["sequence_length"]),
    lengths: g.input("lengths", "int32", ["batch_size"]),
  };
}

export interface Embedded {
  /** [batch, sequence, hidden]. */
  x: Value;
  word: Table;
  /** Rows of the table of segments; 0 where there is none. */
  segments: number;
  /** How many tokens the table of positions has rows for. */
  positions: number;
}

/**
 * The first hidden states of tokens: rows of the tables, summed, normed and projected.
 *
 *   word (· dropout) + type + position + constants → LayerNorm → linear
 */
export function embed(
  g: GraphBuilder,
  { embeddings, epsilon }: EncoderSpec,
  inputs: EncoderInputs,
  ctx: BuildContext,
): Embedded {
  const { type, position, padding, norm, projection } = embeddings;
  const store = (module: string, role: "embedding" | "position"): Table =>
    storeTableOf(g, nameOf(module), `${module}.weight`, ctx, role);
  const word = store(embeddings.word, "embedding");
  const positions = position && store(position, "position");
  const types = type && store(type, "position");

  let x = embedding(g, nameOf(embeddings.word), inputs.inputIds, word);
  if (embeddings.tokenDropout) x = tokenDropout(g.at("token_dropout"), x, embeddings.tokenDropout, inputs);
  const add = (module: string, ids: Value, table: Table): void => {
    x = g.node("Add", [x, embedding(g, nameOf(module), ids, table)]);
  };
  const zero = (): Value => g.constant("int64", [], [0]);
  if (types) add(type, types.rows > 1 ? inputs.tokenTypeIds : zero(), types);
  if (positions) {
    const ids =
      padding === undefined ? inputs.positionIds : textPositions(g.at("positions"), inputs, padding);
    add(position, ids, positions);
  }
  const constants = new Map<string, Table>();
  for (const module of embeddings.constant ?? []) {
    const table = constants.get(module) ?? store(module, "position");
    constants.set(module, table);
    add(module, zero(), table);
  }
  if (norm) x = layerNorm(g, norm, x, { weight: `${norm}.weight`, bias: `${norm}.bias`, epsilon }, ctx);
  if (projection) {
    const [tensors, bias] = [[`${projection}.weight`], [`${projection}.bias`]];
    x = linear(g, nameOf(projection), x, { role: "mlp_up", tensors, bias }, ctx);
  }
  return {
    x,
    word,
    segments: types ? types.rows : 0,
    positions: positions
      ? positions.rows - (padding === undefined ? 0 : padding + 1)
      : Number.POSITIVE_INFINITY,
  };
}

function nameOf(module: string): string {
  return module.slice(module.lastIndexOf(".") + 1);
}

/** ONNX's numbers of types (TensorProto.DataType). */
const FLOAT = 1;
const INT64 = 7;

/**
 * Positions [batch, sequence] of tokens among those that are text; padding has its own number.
 *
 *   ids ≠ padding → CumSum · itself + padding
 */
function textPositions(g: GraphBuilder, { inputIds }: EncoderInputs, padding: number): Value {
  const number = (value: number): Value => g.constant("int64", [], [value]);
  const text = g.node("Cast", [g.node("Not", [g.node("Equal", [inputIds, number(padding)])])], { to: INT64 });
  const order = g.node("Mul", [g.node("CumSum", [text, number(1)]), text]);
  return g.node("Add", [order, number(padding)]);
}

/**
 * Embeddings x [batch, sequence, size]; masked ones are zeros, the others · (1 - trained) / (1 - masked share of the row).
 *
 *   ids = mask → Where(0, x) · (1 - trained) ─────────────────── Div
 *        └─────→ ReduceSum / lengths → 1 - share → Unsqueeze ─────┘
 */
function tokenDropout(
  g: GraphBuilder,
  x: Value,
  { maskToken, trained }: TokenDropout,
  { inputIds, lengths }: EncoderInputs,
): Value {
  const float = (value: number): Value => g.constant("float32", [], [value]);
  const axes = (...list: number[]): Value => g.constant("int64", [list.length], list);
  const masked = g.node("Equal", [inputIds, g.constant("int64", [], [maskToken])]);
  const kept = g.node("Where", [g.node("Unsqueeze", [masked, axes(2)]), float(0), x]);
  const count = g.node("ReduceSum", [g.node("Cast", [masked], { to: FLOAT }), axes(1)], { keepdims: 0 });
  const share = g.node("Div", [count, g.node("Cast", [lengths], { to: FLOAT })]);
  const left = g.node("Unsqueeze", [g.node("Sub", [float(1), share]), axes(1, 2)]);
  return g.node("Div", [g.node("Mul", [kept, float(1 - trained)]), left]);
}
