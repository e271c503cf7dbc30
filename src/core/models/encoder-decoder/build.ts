import { causalAttention, type HeadShape } from "../../graph/blocks/attention.js";
import {
  type CrossInputs,
  crossAttention,
  crossInputs,
  crossKeysValues,
} from "../../graph/blocks/cross-attention.js";
import { type DecoderInputs, decoderInputs, tokenPositions } from "../../graph/blocks/decoder-inputs.js";
import type { Table } from "../../graph/blocks/embedding.js";
import { encoderAttention } from "../../graph/blocks/encoder-attention.js";
import type { Linear } from "../../graph/blocks/linear.js";
import { lmHead, selectRows } from "../../graph/blocks/lm-head.js";
import { type Delta, gatedMlp, mlp, project } from "../../graph/blocks/mlp.js";
import { type AnyNorm, addNorm, norm } from "../../graph/blocks/norm.js";
import { decoderBias, encoderBias, storeDistanceTable } from "../../graph/blocks/relative-bias.js";
import type { GraphBuilder, Value } from "../../graph/builder.js";
import type { BuildContext, MatrixRole, ModelWeights } from "../../graph/model-weights.js";
import { encoderInputs } from "../encoder/embed.js";
import type { EncoderDecoderInfo, EncoderInfo } from "../types.js";
import { embed, positionsOf } from "./embed.js";
import type { AttentionSpec, EncoderDecoderSpec, LayerSpec, StackSpec } from "./spec.js";

/** The name of the encoder's graph beside the decoder's. */
const ENCODER = "encoder";

/**
 * Composes two graphs over the same weights: the decoder into `g`, beside it the encoder with the keys and values that
 * all layers of the decoder make of its states. Inputs and outputs are those of docs/graph.md.
 */
export function buildEncoderDecoder(
  g: GraphBuilder,
  spec: EncoderDecoderSpec,
  ctx: BuildContext,
): EncoderDecoderInfo {
  const flat = { ...ctx, weights: flattened(ctx.weights, spec.head.bias) };
  // A source text has so many tokens that turning matrices into floats costs next to nothing beside the products.
  buildEncoder(g.graph(ENCODER), { spec, stack: spec.encoder, ctx: { ...flat, compute: "floats" } });
  const vocabularySize = buildDecoder(g, { spec, stack: spec.decoder, ctx: flat });
  const { heads, headDim, layers } = spec.decoder;
  return {
    kind: "encoder-decoder",
    layers: layers.length,
    heads,
    kvHeads: heads,
    headDim,
    hiddenSize: spec.hidden,
    vocabularySize,
    contextLength: Math.min(spec.contextLength, positionsOf(spec.encoder, ctx.weights)),
    answerLength: Math.min(spec.answerLength, positionsOf(spec.decoder, ctx.weights)),
  };
}

interface Shared {
  spec: EncoderDecoderSpec;
  stack: StackSpec;
  ctx: BuildContext;
}

/** The residual stream: x, and what is still to be added to it by the norm that comes next. */
interface Stream {
  x: Value;
  delta?: Delta;
}

/** The encoder alone, as encoders are: its states are last_hidden_state. */
export function buildSourceEncoder(
  g: GraphBuilder,
  spec: EncoderDecoderSpec,
  ctx: BuildContext,
): EncoderInfo {
  const inputs = encoderInputs(g);
  const { states, table } = encoderStates(g, inputs, { spec, stack: spec.encoder, ctx });
  const x = g.node("Identity", [states], {}, "last_hidden_state");
  g.output(x, "float32", ["batch_size", "sequence_length", spec.hidden]);
  return {
    kind: "encoder",
    hiddenSize: spec.hidden,
    vocabularySize: table.rows,
    contextLength: Math.min(spec.contextLength, positionsOf(spec.encoder, ctx.weights)),
  };
}

function buildEncoder(g: GraphBuilder, shared: Shared): void {
  const { spec, ctx } = shared;
  const inputIds = g.input("input_ids", "int64", ["batch_size", "sequence_length"]);
  const lengths = g.input("lengths", "int32", ["batch_size"]);
  const { states } = encoderStates(g, { inputIds, lengths }, shared);
  g.node("Identity", [states], {}, "encoder_hidden_states");
  const shape = ["batch_size", "sequence_length", spec.hidden];
  g.output("encoder_hidden_states" as Value, "float32", shape);
  for (const [index, layer] of spec.decoder.layers.entries()) {
    const { key, value } = layer.cross as AttentionSpec;
    const keyValue = linearOf([key, value], "qkv", spec);
    crossKeysValues(
      g.at(layer.name).at("cross_attn"),
      states,
      { layer: index, keyValue, shape: shapeOf(spec.decoder) },
      ctx,
    );
  }
}

/** What the encoder makes of source texts, [batch, sequence, hidden]; with its table of tokens. */
function encoderStates(
  g: GraphBuilder,
  { inputIds, lengths }: { inputIds: Value; lengths: Value },
  shared: Shared,
): { states: Value; table: Table } {
  const { spec, stack, ctx } = shared;
  const positions = countPositions(g, inputIds);
  const { x, table } = embed(g, inputIds, positions, stack, spec, ctx);
  const biases = biasesOf(shared, (tensor) =>
    encoderBias(g, positions, storeDistanceTable(g, tensor, "both", ctx)),
  );
  let stream: Stream = { x };
  for (const [index, layer] of stack.layers.entries()) {
    const at = g.at(layer.name);
    const shape = shapeOf(stack);
    stream = branch(at, "attn_norm", layer.self.norm, stream, shared, (normed) => {
      const qkv = linearOf([layer.self.query, layer.self.key, layer.self.value], "qkv", spec);
      const options = { qkv, shape, lengths, bias: biases[index], scale: spec.attentionScale };
      const attended = encoderAttention(at.at("attn"), normed, options, ctx);
      return output(at.at("attn"), attended, layer.self, shared);
    });
    stream = feedForward(at, layer, "mlp_up", stream, shared);
  }
  return { states: finish(g, "encoder.norm", stream, shared), table };
}

/** Returns the size of the vocabulary. */
function buildDecoder(g: GraphBuilder, shared: Shared): number {
  const { spec, stack, ctx } = shared;
  const inputs = decoderInputs(g);
  const width = stack.heads * stack.headDim;
  const cross = crossInputs(g, inputs.inputIds, width);
  const positions = tokenPositions(g, inputs);
  const { x, table } = embed(g, inputs.inputIds, positions, stack, spec, ctx);
  const biases = biasesOf(shared, (tensor) =>
    decoderBias(g, positions, inputs.totalSequenceLength, storeDistanceTable(g, tensor, "past", ctx)),
  );
  let stream: Stream = { x };
  for (const [index, layer] of stack.layers.entries()) {
    const at = g.at(layer.name);
    stream = branch(at, "attn_norm", layer.self.norm, stream, shared, (normed) =>
      selfAttention(at.at("attn"), normed, { index, layer, inputs, bias: biases[index] }, shared),
    );
    const { norm: crossNorm } = layer.cross as AttentionSpec;
    stream = branch(at, "cross_attn_norm", crossNorm, stream, shared, (normed) =>
      sourceAttention(at.at("cross_attn"), normed, { index, layer, cross }, shared),
    );
    const isLast = index === stack.layers.length - 1;
    stream = feedForward(at, layer, isLast ? "last_mlp_up" : "mlp_up", stream, shared);
  }
  const states = selectRows(
    g.at("select"),
    finish(g, "decoder.norm", stream, shared),
    spec.hidden,
    inputs.logitsIndices,
  );
  const { module, tied, bias, scale } = spec.head;
  const own = !tied && ctx.weights.has(`${module}.weight`);
  lmHead(g, states, own ? { tensor: `${module}.weight` } : { tied: table }, ctx, {
    bias: bias !== undefined && ctx.weights.has(bias) ? bias : undefined,
    scale,
  });
  return own ? ctx.weights.shape(`${module}.weight`)[0] : table.rows;
}

function selfAttention(
  g: GraphBuilder,
  normed: Value,
  of: { index: number; layer: LayerSpec; inputs: DecoderInputs; bias?: Value },
  shared: Shared,
): Delta {
  const { spec, stack, ctx } = shared;
  const { query, key, value } = of.layer.self;
  const attended = causalAttention(
    g,
    normed,
    {
      layer: of.index,
      qkv: linearOf([query, key, value], "qkv", spec),
      shape: shapeOf(stack),
      inputs: of.inputs,
      bias: of.bias,
      scale: spec.attentionScale,
    },
    ctx,
  );
  return output(g, attended, of.layer.self, shared);
}

function sourceAttention(
  g: GraphBuilder,
  normed: Value,
  of: { index: number; layer: LayerSpec; cross: CrossInputs },
  shared: Shared,
): Delta {
  const { spec, stack, ctx } = shared;
  const modules = of.layer.cross as AttentionSpec;
  const query = linearOf([modules.query], "qkv", spec);
  const options = { layer: of.index, query, shape: shapeOf(stack), inputs: of.cross };
  const attended = crossAttention(g, normed, { ...options, scale: spec.attentionScale }, ctx);
  return output(g, attended, modules, shared);
}

function feedForward(
  g: GraphBuilder,
  { mlp: modules }: LayerSpec,
  role: MatrixRole,
  stream: Stream,
  shared: Shared,
): Stream {
  const { spec, stack, ctx } = shared;
  return branch(g, "mlp_norm", modules.norm, stream, shared, (normed) => {
    const { activation } = stack;
    const up = linearOf(modules.up, role, spec);
    const down = linearOf([modules.down], "mlp_down", spec);
    return modules.up.length === 2
      ? gatedMlp(g.at("mlp"), normed, { gateUp: up, down, activation }, ctx)
      : mlp(g.at("mlp"), normed, { up, down, activation }, ctx);
  });
}

/** What goes around a block: the residual and its norm, which stands before the block or behind the sum. */
function branch(
  g: GraphBuilder,
  name: string,
  module: string,
  { x, delta }: Stream,
  { spec, ctx }: Shared,
  block: (normed: Value) => Delta,
): Stream {
  const of = normOf(module, spec);
  if (spec.order === "post") return { x: addNorm(g, name, x, block(x), of, ctx).normed };
  if (!delta) return { x, delta: block(norm(g, name, x, of, ctx)) };
  const { normed, sum } = addNorm(g, name, x, delta, of, ctx);
  return { x: sum, delta: block(normed) };
}

function finish(g: GraphBuilder, name: string, { x, delta }: Stream, { spec, stack, ctx }: Shared): Value {
  if (!delta || !stack.finalNorm) return x;
  return addNorm(g, name, x, delta, normOf(stack.finalNorm, spec), ctx).normed;
}

function output(g: GraphBuilder, attended: Value, modules: AttentionSpec, { spec, ctx }: Shared): Delta {
  return project(g, "out_proj", attended, linearOf([modules.output], "attention_output", spec), ctx);
}

/** A bias for each layer; layers of one tensor share it. */
function biasesOf(
  { stack: { relativeBias } }: Shared,
  build: (of: { tensor: string; buckets: number; maxDistance: number }) => Value,
): (Value | undefined)[] {
  if (!relativeBias) return [];
  const { tensors, ...sizes } = relativeBias;
  const built = new Map([...new Set(tensors)].map((tensor) => [tensor, build({ tensor, ...sizes })]));
  return tensors.map((tensor) => built.get(tensor));
}

/** 0, 1 … for ids [batch, sequence]. */
function countPositions(g: GraphBuilder, ids: Value): Value {
  const length = g.node("Squeeze", [g.node("Shape", [ids], { start: 1, end: 2 })]);
  return g.node("Range", [g.constant("int64", [], [0]), length, g.constant("int64", [], [1])]);
}

function shapeOf({ heads, headDim }: StackSpec): HeadShape {
  return { heads, kvHeads: heads, headDim };
}

function linearOf(modules: string[], role: MatrixRole, { bias }: EncoderDecoderSpec): Linear {
  const tensors = modules.map((module) => `${module}.weight`);
  return { role, tensors, bias: bias ? modules.map((module) => `${module}.bias`) : undefined };
}

function normOf(module: string, { norm: { kind, epsilon } }: EncoderDecoderSpec): AnyNorm {
  return {
    kind,
    epsilon,
    weight: `${module}.weight`,
    bias: kind === "layer" ? `${module}.bias` : undefined,
  };
}

/** The head's bias is stored as a row, [1, vocabulary]. */
function flattened(weights: ModelWeights, tensor: string | undefined): ModelWeights {
  const shape = (name: string) => (name === tensor ? weights.shape(name).slice(-1) : weights.shape(name));
  return { ...weights, shape };
}
