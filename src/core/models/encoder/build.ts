import { encoderAttention } from "../../graph/blocks/encoder-attention.js";
import { storeTable } from "../../graph/blocks/matrix.js";
import { type Delta, mlp, project } from "../../graph/blocks/mlp.js";
import { addLayerNorm, layerNorm } from "../../graph/blocks/norm.js";
import { encoderBias, storeDistanceTable } from "../../graph/blocks/relative-bias.js";
import { type Rope, type RopeTables, ropeTables } from "../../graph/blocks/rope.js";
import type { GraphBuilder, Value } from "../../graph/builder.js";
import type { BuildContext, MatrixRole } from "../../graph/model-weights.js";
import { type Embedded, type EncoderInputs, embed, encoderInputs } from "./embed.js";
import type { EncoderSpec, LayerModules } from "./spec.js";

/** The graph of a spec up to last_hidden_state [batch, sequence, hidden], which is an output then. */
export function buildEncoder(
  g: GraphBuilder,
  spec: EncoderSpec,
  ctx: BuildContext,
): Embedded & { inputs: EncoderInputs } {
  const inputs = encoderInputs(g);
  const embedded = embed(g, spec, inputs, ctx);
  const attention = sharedAttention(g, spec, inputs, ctx);
  const compose = spec.residual === "post" ? postNormLayers : preNormLayers;
  const x = compose(g, embedded.x, spec, attention, ctx);
  g.output(x, "float32", ["batch_size", "sequence_length", spec.hidden]);
  return { ...embedded, x, inputs };
}

/** What the attention of all layers has in common. */
type SharedAttention = Omit<Parameters<typeof encoderAttention>[2], "qkv">;

function sharedAttention(
  g: GraphBuilder,
  spec: EncoderSpec,
  { lengths, positionIds }: EncoderInputs,
  ctx: BuildContext,
): SharedAttention {
  const { heads, hidden, rotatedValues, relativeBias } = spec;
  return {
    shape: { heads, kvHeads: heads, headDim: hidden / heads },
    lengths,
    ...(spec.rope && { rope: rotation(g, spec.rope, spec, ctx), rotatedValues }),
    ...(relativeBias && {
      bias: encoderBias(g.at("relative_bias"), positionIds, storeDistanceTable(g, relativeBias, "both", ctx)),
    }),
  };
}

function rotation(
  g: GraphBuilder,
  rope: Rope,
  { contextLength, ropeFrequencies = [] }: EncoderSpec,
  ctx: BuildContext,
): RopeTables {
  const stored = ropeFrequencies.find((tensor) => ctx.weights.has(tensor));
  if (stored === undefined) return ropeTables(g, rope, contextLength, ctx);
  const half = rope.rotaryDim / 2;
  const table = (name: string, f: (angle: number) => number): Value =>
    storeTable(g, g.scope(`rope.${name}`), [contextLength, half], async () => {
      const frequencies = await ctx.weights.read(stored);
      // Angles are float32, as in PyTorch.
      return Float32Array.from({ length: contextLength * half }, (_, i) =>
        f(Math.fround(Math.floor(i / half) * frequencies[i % half])),
      );
    });
  return { ...rope, cos: table("cos", Math.cos), sin: table("sin", Math.sin) };
}

/** x → norm(x + attention(x)) → norm(x + mlp(x)), so the normed value is the next residual. */
function postNormLayers(
  g: GraphBuilder,
  x: Value,
  spec: EncoderSpec,
  attention: SharedAttention,
  ctx: BuildContext,
): Value {
  for (const [i, { at, modules }] of scopes(g, spec).entries()) {
    const attended = attend(at, x, modules, attention, ctx);
    const after = [x, attended.y, attended.bias] as const;
    ({ normed: x } = addLayerNorm(
      at,
      "attention.LayerNorm",
      ...after,
      normOf(modules.attentionNorm, spec),
      ctx,
    ));
    const { y, bias } = mlp(at.at("mlp"), x, mlpOf(modules, spec), ctx);
    const as = i === spec.layers.length - 1 ? "last_hidden_state" : undefined;
    ({ normed: x } = addLayerNorm(
      at,
      "output.LayerNorm",
      x,
      y,
      bias,
      normOf(modules.mlpNorm, spec),
      ctx,
      as,
    ));
  }
  return x;
}

/** x → x + attention(norm(x)) → x + mlp(norm(x)) → norm. */
function preNormLayers(
  g: GraphBuilder,
  x: Value,
  spec: EncoderSpec,
  attention: SharedAttention,
  ctx: BuildContext,
): Value {
  let delta: Delta | undefined;
  const normed = (at: GraphBuilder, name: string, module: string, as?: string): Value => {
    const norm = normOf(module, spec);
    if (!delta) return layerNorm(at, name, x, norm, ctx);
    const added = addLayerNorm(at, name, x, delta.y, delta.bias, norm, ctx, as);
    x = added.sum;
    return added.normed;
  };
  for (const { at, modules } of scopes(g, spec)) {
    const read = normed(at, "attention.LayerNorm", modules.attentionNorm);
    delta = attend(at, read, modules, attention, ctx);
    delta = mlp(at.at("mlp"), normed(at, "LayerNorm", modules.mlpNorm), mlpOf(modules, spec), ctx);
  }
  if (spec.finalNorm !== undefined) return normed(g, "final.LayerNorm", spec.finalNorm, "last_hidden_state");
  const { y, bias } = delta as Delta;
  const sum = g.node("Add", [x, y], {}, bias ? undefined : "last_hidden_state");
  return bias ? g.node("Add", [sum, bias], {}, "last_hidden_state") : sum;
}

/** A scope for each layer; layers that share their parameters have one, and only the names of their nodes differ. */
function scopes(g: GraphBuilder, { layers }: EncoderSpec): { at: GraphBuilder; modules: LayerModules }[] {
  const repeating = new Set(layers).size < layers.length;
  const from = repeating ? g.repeating() : g;
  return layers.map((modules) => ({ at: from.at(`layers.${layers.indexOf(modules)}`), modules }));
}

function attend(
  g: GraphBuilder,
  x: Value,
  { query, key, value, attentionOutput }: LayerModules,
  shared: SharedAttention,
  ctx: BuildContext,
): Delta {
  const at = g.at("attn");
  const attended = encoderAttention(at, x, { ...shared, qkv: linearOf([query, key, value], "qkv") }, ctx);
  return project(at, "output", attended, linearOf([attentionOutput], "attention_output"), ctx);
}

function mlpOf({ up, down }: LayerModules, { activation }: EncoderSpec): Parameters<typeof mlp>[2] {
  return { up: linearOf([up], "mlp_up"), down: linearOf([down], "mlp_down"), activation };
}

function linearOf(modules: string[], role: MatrixRole) {
  return {
    role,
    tensors: modules.map((module) => `${module}.weight`),
    bias: modules.map((module) => `${module}.bias`),
  };
}

function normOf(module: string, { epsilon }: EncoderSpec) {
  return { weight: `${module}.weight`, bias: `${module}.bias`, epsilon };
}
