import { HfmsError } from "../../errors.js";
import { alibi } from "../../graph/blocks/alibi.js";
import { causalAttention } from "../../graph/blocks/attention.js";
import { decoderInputs } from "../../graph/blocks/decoder-inputs.js";
import type { Table } from "../../graph/blocks/embedding.js";
import type { Linear } from "../../graph/blocks/linear.js";
import { lmHead, selectRows } from "../../graph/blocks/lm-head.js";
import { type Delta, gatedMlp, mlp, project } from "../../graph/blocks/mlp.js";
import { addNorm, norm } from "../../graph/blocks/norm.js";
import { type RopeTables, ropeTables } from "../../graph/blocks/rope.js";
import type { GraphBuilder, Value } from "../../graph/builder.js";
import type { BuildContext, MatrixRole } from "../../graph/model-weights.js";
import type { DecoderInfo } from "../types.js";
import { embed } from "./embed.js";
import {
  type AttentionSpec,
  type DecoderSpec,
  type LayerSpec,
  type LayersSpec,
  type LinearSpec,
  type NormSpec,
  normOf,
} from "./spec.js";

/** What the layers share. */
interface Shared {
  spec: LayersSpec;
  /** A layer's attention without its output projection: x [batch, sequence, hidden] gives [.., heads · headDim]. */
  attention(g: GraphBuilder, index: number, of: AttentionSpec, x: Value): Value;
  /** Which of the batch · sequence positions go on behind the last attention, [n]; absent: all of them. */
  selected?: Value;
  ctx: BuildContext;
}

/** The residual stream: x, and what is still to be added to it by the norm that comes next. */
interface Stream {
  x: Value;
  delta?: Delta;
}

/** Composes the graph of a decoder. The cache, the inputs and the outputs are those of docs/graph.md. */
export function buildDecoder(g: GraphBuilder, spec: DecoderSpec, ctx: BuildContext): DecoderInfo {
  if (spec.sees === "both") {
    throw new HfmsError(
      "unsupported_model",
      "the model's tokens see both sides of a text: it can't write any",
      {
        hint: "it makes embeddings; the repository lacks modules.json, which says how",
      },
    );
  }
  const inputs = decoderInputs(g);
  const { x, table, positionIds, contextLength } = embed(g, spec, inputs, ctx);
  const ropes = ropesOf(g, spec, contextLength, ctx);
  const longFrom = Object.values(ropes).find((rope) => rope.longFrom !== undefined)?.longFrom;
  if (longFrom !== undefined)
    inputs.rotaryRows = g.input("position_ids", "int64", ["batch_size", "sequence_length"]);
  const normed = buildLayers(g, x, {
    spec,
    attention: (at, layer, { qkv, rope, alibi: biases, ...of }, read) =>
      causalAttention(
        at,
        read,
        {
          ...of,
          layer,
          qkv: linearOf(qkv, isSensitive(layer, spec.layers.length) ? "sensitive_qkv" : "qkv"),
          shape: of,
          inputs,
          rope: rope === undefined ? undefined : ropes[rope],
          bias: biases && alibi(at, biases, inputs),
        },
        ctx,
      ),
    selected: inputs.logitsIndices,
    ctx,
  });
  buildHead(g, normed, table, spec, ctx);

  const { heads, kvHeads, headDim } = spec.layers[0].attention;
  const rotaryDim = Math.max(0, ...Object.values(ropes).map((rope) => rope.rotaryDim));
  return {
    kind: "decoder",
    layers: spec.layers.length,
    heads,
    kvHeads,
    headDim,
    vocabularySize: table.rows,
    contextLength,
    positionIds: positionIds || longFrom !== undefined,
    ...(longFrom !== undefined && { longFrom }),
    ...(rotaryDim > 0 && { rotaryDim }),
    ...(Object.values(ropes).some((rope) => rope.interleaved) && { rotaryInterleaved: true }),
  };
}

/** The tables of a spec's rotations, by name. */
export function ropesOf(
  g: GraphBuilder,
  { ropes = {} }: LayersSpec,
  contextLength: number,
  ctx: BuildContext,
): Record<string, RopeTables> {
  const tables: Record<string, RopeTables> = {};
  for (const [name, rope] of Object.entries(ropes))
    tables[name] = ropeTables(g, rope, contextLength, ctx, name);
  return tables;
}

/** All layers and the norm behind them: x [batch, sequence, hidden] gives the last hidden states, normed. */
export function buildLayers(g: GraphBuilder, x: Value, shared: Shared): Value {
  const { spec } = shared;
  let stream: Stream = { x };
  for (const [index, layer] of spec.layers.entries()) stream = buildLayer(g, index, layer, stream, shared);
  return spec.norm ? nextNorm(g, spec.norm, stream, shared).normed : added(g, stream);
}

function buildLayer(
  g: GraphBuilder,
  index: number,
  layer: LayerSpec,
  stream: Stream,
  shared: Shared,
): Stream {
  const { norms, residual } = layer;
  const at = g.at(layer.name);
  if (residual === "post") {
    const x = added(at, stream);
    const attended = attend(at, index, layer, x, { x }, shared);
    const middle = nextNorm(at, norms.attention, { x: attended.x, delta: attended.delta }, shared).normed;
    const delta = feedForward(at, index, layer, middle, shared);
    return { x: nextNorm(at, norms.mlp, { x: middle, delta }, shared).normed };
  }
  const { normed, x } = nextNorm(at, norms.attention, stream, shared);
  if (residual === "parallel") {
    const between = norms.mlp && norm(at, scopeOf(layer, norms.mlp), x, sized(norms.mlp, shared), shared.ctx);
    const attended = attend(at, index, layer, normed, { x, also: between ?? normed }, shared);
    const delta = feedForward(at, index, layer, attended.also as Value, shared);
    const both = at.node("Add", [withBias(at, attended.delta), withBias(at, delta)]);
    return { x: attended.x, delta: { y: both } };
  }
  const attended = attend(at, index, layer, normed, { x }, shared);
  const second = nextNorm(at, norms.mlp, attended, shared);
  return { x: second.x, delta: feedForward(at, index, layer, second.normed, shared) };
}

/**
 * Attention and its output projection. Behind the last attention nothing looks at other positions any more, so what
 * goes on from there has only the rows that get logits.
 */
function attend(
  g: GraphBuilder,
  index: number,
  layer: LayerSpec,
  normed: Value,
  rest: { x: Value; also?: Value },
  shared: Shared,
): { x: Value; also?: Value; delta: Delta } {
  const { attention, norms } = layer;
  const { spec, selected, ctx } = shared;
  const width = attention.heads * attention.headDim;
  let attended = shared.attention(g.at("attn"), index, attention, normed);
  let { x, also } = rest;
  if (selected !== undefined && index === spec.layers.length - 1) {
    const select = (scope: string, value: Value, size: number): Value =>
      selectRows(g.at(scope), value, size, selected);
    attended = select("attn/select", attended, width);
    x = select("select", x, spec.hidden);
    if (also) also = select("select", also, spec.hidden);
  }
  const { innerNorm } = attention;
  if (innerNorm)
    attended = norm(g.at("attn"), lastOf(innerNorm.module), attended, normOf(innerNorm, width), ctx);
  const output = linearOf(attention.output, "attention_output");
  const delta = project(g.at("attn"), lastOf(attention.output.modules[0]), attended, output, ctx);
  return { x, also, delta: scaled(g, branchNorm(g, layer, norms.attentionOutput, delta, spec, ctx), layer) };
}

function feedForward(g: GraphBuilder, index: number, layer: LayerSpec, x: Value, shared: Shared): Delta {
  const { spec, ctx } = shared;
  const { mlp: of, norms } = layer;
  const at = g.at("mlp");
  let delta: Delta;
  if (of.kind === "own") delta = of.build(at, x, ctx);
  else {
    const count = spec.layers.length;
    const role = index === count - 1 ? "last_mlp_up" : "mlp_up";
    const down = linearOf(of.down, isSensitive(index, count) ? "sensitive_mlp_down" : "mlp_down");
    const { activation } = of;
    delta =
      of.kind === "gated"
        ? gatedMlp(at, x, { gateUp: linearOf(of.gateUp, role), down, activation }, ctx)
        : mlp(at, x, { up: linearOf(of.up, role), down, activation }, ctx);
  }
  return scaled(g, branchNorm(g, layer, norms.mlpOutput, delta, spec, ctx), layer);
}

/**
 * Whether a layer is one of those whose qkv and mlp_down four bits hurt most, or one of every third between, so that errors
 * don't add up: the first and the last eighth. The choice follows llama.cpp's mixes (use_more_bits in llama-quant.cpp).
 */
export function isSensitive(layer: number, layers: number): boolean {
  const edge = layers / 8;
  return layer < edge || layer >= layers - edge || (layer - Math.ceil(edge)) % 3 === 2;
}

/** What a branch gives, normed before it is added. */
function branchNorm(
  g: GraphBuilder,
  layer: LayerSpec,
  of: NormSpec | undefined,
  delta: Delta,
  { hidden }: LayersSpec,
  ctx: BuildContext,
): Delta {
  if (!of) return delta;
  return { y: norm(g, scopeOf(layer, of), withBias(g, delta), normOf(of, hidden), ctx) };
}

function scaled(g: GraphBuilder, delta: Delta, { branchScale }: LayerSpec): Delta {
  if (branchScale === undefined || branchScale === 1) return delta;
  return { y: g.node("Mul", [withBias(g, delta), g.constant("float32", [], [branchScale])]) };
}

/** Adds what is outstanding and norms the sum; without a norm the sum is what is read. */
function nextNorm(
  g: GraphBuilder,
  of: NormSpec | undefined,
  stream: Stream,
  { spec, ctx }: Shared,
): { normed: Value; x: Value } {
  if (!of) {
    const x = added(g, stream);
    return { normed: x, x };
  }
  const name = lastOf(of.module);
  const settings = normOf(of, spec.hidden);
  if (!stream.delta) return { normed: norm(g, name, stream.x, settings, ctx), x: stream.x };
  const { normed, sum } = addNorm(g, name, stream.x, stream.delta, settings, ctx);
  return { normed, x: sum };
}

function added(g: GraphBuilder, { x, delta }: Stream): Value {
  return delta ? g.node("Add", [x, withBias(g, delta)]) : x;
}

function withBias(g: GraphBuilder, { y, bias }: Delta): Value {
  return bias ? g.node("Add", [y, bias]) : y;
}

function buildHead(g: GraphBuilder, normed: Value, table: Table, spec: DecoderSpec, ctx: BuildContext): void {
  const { module, tied, bias, projection, before, scale, softcap } = spec.head;
  let x = before ? before(g, normed, ctx) : normed;
  if (projection) {
    const out = { role: "attention_output" as const, tensors: [`${projection}.weight`] };
    x = project(g, lastOf(projection), x, out, ctx).y;
  }
  const own = !tied && ctx.weights.has(`${module}.weight`);
  lmHead(g, x, own ? { tensor: `${module}.weight` } : { tied: table }, ctx, {
    bias: bias ? `${module}.bias` : undefined,
    scale,
    softcap,
  });
}

export function linearOf({ modules, bias }: LinearSpec, role: MatrixRole): Linear {
  return {
    role,
    tensors: modules.map((module) => `${module}.weight`),
    bias: bias ? modules.map((module) => `${module}.bias`) : undefined,
  };
}

function sized(of: NormSpec, { spec }: Shared) {
  return normOf(of, spec.hidden);
}

/** The name of a norm inside its layer: `input_layernorm` of layers.0.input_layernorm. */
function scopeOf({ name }: LayerSpec, { module }: NormSpec): string {
  return module.startsWith(`${name}.`) ? module.slice(name.length + 1) : module;
}

function lastOf(module: string): string {
  return module.slice(module.lastIndexOf(".") + 1);
}
