import type { GraphBuilder, Value } from "../builder.js";
import { type DecoderInputs, tokenPositions } from "./decoder-inputs.js";

/** Queries that grow with their positions: times 1 + beta · ln(1 + ⌊position / length⌋). Source: Llama 4, Ministral 3. */
export interface QueryGrowth {
  beta: number;
  length: number;
}

/** ONNX's number of the type (TensorProto.DataType). */
const FLOAT = 1;

/** The factors, [batch, sequence, 1]; computed by the first layer that asks. */
export function queryGrowth(g: GraphBuilder, { beta, length }: QueryGrowth, inputs: DecoderInputs): Value {
  inputs.growth ??= factors(g, beta, length, inputs);
  return inputs.growth;
}

function factors(g: GraphBuilder, beta: number, length: number, inputs: DecoderInputs): Value {
  const one = g.constant("float32", [], [1]);
  const positions = g.node("Unsqueeze", [tokenPositions(g, inputs), g.constant("int64", [1], [2])]);
  const turns = g.node("Div", [positions, g.constant("int64", [], [length])]);
  const log = g.node("Log", [g.node("Add", [g.node("Cast", [turns], { to: FLOAT }), one])]);
  return g.node("Add", [g.node("Mul", [log, g.constant("float32", [], [beta])]), one]);
}
