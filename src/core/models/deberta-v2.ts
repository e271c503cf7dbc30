import { z } from "zod";
import { activate, activationNames } from "../graph/blocks/activation.js";
import { storeTable, storeVector } from "../graph/blocks/matrix.js";
import { layerNorm } from "../graph/blocks/norm.js";
import type { GraphBuilder, Value } from "../graph/builder.js";
import type { BuildContext } from "../graph/model-weights.js";
import { count, parseWith } from "./config.js";
import { debertaEncoder, debertaFields, debertaHeads, debertaShapes } from "./deberta/encoder.js";
import { encoderWithHeads, type HeadedModel } from "./encoder/with-heads.js";
import type { Architecture } from "./types.js";

const schema = z
  .looseObject({
    ...debertaFields,
    position_buckets: z.int().default(-1),
    share_att_key: z.boolean().default(false),
    norm_rel_ebd: z.string().default("none"),
    attention_head_size: count.nullish(),
    conv_kernel_size: z.int().min(0).max(99).default(0),
    conv_groups: count.default(1),
    conv_act: z.enum(activationNames).default("tanh"),
  })
  .refine((config) => config.hidden_size % config.num_attention_heads === 0, {
    path: ["num_attention_heads"],
    message: "it must divide hidden_size",
  })
  .refine(
    ({ attention_head_size: size, hidden_size, num_attention_heads }) =>
      (size ?? hidden_size / num_attention_heads) === hidden_size / num_attention_heads,
    { path: ["attention_head_size"], message: "it must be hidden_size divided by num_attention_heads" },
  )
  .refine((config) => config.hidden_size % config.conv_groups === 0, {
    path: ["conv_groups"],
    message: "it must divide hidden_size",
  })
  .refine(({ conv_kernel_size: size }) => size === 0 || size % 2 === 1, {
    path: ["conv_kernel_size"],
    message: "it must be odd",
  });

type Config = z.infer<typeof schema>;

/** DeBERTa v2 and v3, mDeBERTa. Source: transformers, models/deberta_v2/modeling_deberta_v2.py. */
export const debertaV2: Architecture<HeadedModel<Config>> = encoderWithHeads<Config>({
  modelType: "deberta-v2",
  prefixes: ["deberta."],

  read: (raw) => parseWith(schema, raw),
  hidden: (config) => config.hidden_size,
  heads: debertaHeads,

  shapes(config) {
    const { hidden_size: hidden, conv_kernel_size: kernel, conv_groups: groups } = config;
    const self = "encoder.layer.N.attention.self";
    return {
      ...debertaShapes(config),
      [`${self}.query_proj`]: [hidden, hidden],
      [`${self}.key_proj`]: [hidden, hidden],
      [`${self}.value_proj`]: [hidden, hidden],
      [`${self}.pos_key_proj`]: [hidden, hidden],
      [`${self}.pos_query_proj`]: [hidden, hidden],
      "encoder.LayerNorm": [hidden],
      "encoder.conv.conv": [hidden, hidden / groups, kernel],
      "encoder.conv.LayerNorm": [hidden],
    };
  },

  states(g, config, ctx) {
    const self = (layer: number, name: string) => `encoder.layer.${layer}.attention.self.${name}`;
    const of = (layer: number, ...names: string[]) => ({
      tensors: names.map((name) => `${self(layer, name)}.weight`),
      bias: names.map((name) => `${self(layer, name)}.bias`),
    });
    const buckets = config.position_buckets;
    return debertaEncoder(
      g,
      config,
      {
        content: (layer) => of(layer, "query_proj", "key_proj", "value_proj"),
        ...(!config.share_att_key && {
          keys: (layer: number) => of(layer, "pos_key_proj"),
          queries: (layer: number) => of(layer, "pos_query_proj"),
        }),
        ...(buckets > 0 && { buckets }),
        normed: config.norm_rel_ebd
          .toLowerCase()
          .split("|")
          .some((word) => word.trim() === "layer_norm"),
        ...(config.conv_kernel_size > 0 && {
          afterFirst: (at: GraphBuilder, embedded: Value, x: Value) =>
            convolution(at, embedded, x, config, ctx),
        }),
      },
      ctx,
    );
  },
});

/**
 * What the first layer sees of neighbouring tokens: LayerNorm(x + act(conv(embedded))), [batch, sequence, hidden] each.
 *
 *   embedded → Pad → Slice of each neighbour → Concat → FusedMatMul → Add(bias) → act ─ Add(x) → LayerNorm
 *
 * The runtime's Conv sums in an order that depends on the length of the batch's longest text.
 */
function convolution(g: GraphBuilder, embedded: Value, x: Value, config: Config, ctx: BuildContext): Value {
  const { hidden_size: hidden, conv_kernel_size: kernel } = config;
  const weight = storeTable(g, g.scope("weight"), [hidden, kernel * hidden], async () =>
    byNeighbour(await ctx.weights.read("encoder.conv.conv.weight"), config),
  );
  const bias = storeVector(g, g.scope("bias"), ["encoder.conv.conv.bias"], ctx);
  const int64 = (...values: number[]): Value => g.constant("int64", [values.length], values);
  const reach = (kernel - 1) / 2;
  const padded = g.node("Pad", [embedded, int64(0, reach, 0, 0, reach, 0)]);
  const neighbours = Array.from({ length: kernel }, (_, i) => {
    const behind = kernel - 1 - i;
    return g.node("Slice", [padded, int64(i), int64(behind > 0 ? -behind : END), int64(1)]);
  });
  const joined = g.node("Concat", neighbours, { axis: -1 });
  const seen = g.node("Add", [g.node("FusedMatMul", [joined, weight], { transB: 1 }), bias]);
  const active = activate(g, seen, config.conv_act);
  const name = "encoder.conv.LayerNorm";
  const norm = { weight: `${name}.weight`, bias: `${name}.bias`, epsilon: config.layer_norm_eps };
  return layerNorm(g, "LayerNorm", g.node("Add", [x, active]), norm, ctx);
}

/** The end of an axis, for Slice. */
const END = 2 ** 31;

/** Weights [out, in / groups, kernel] as [out, kernel · in], with zeros where a group doesn't look. */
function byNeighbour(
  weights: Float32Array,
  { hidden_size: hidden, conv_kernel_size: kernel, conv_groups: groups }: Config,
): Float32Array {
  const width = hidden / groups;
  const result = new Float32Array(hidden * kernel * hidden);
  for (let out = 0; out < hidden; out++) {
    const first = Math.floor(out / width) * width;
    for (let i = 0; i < width; i++) {
      for (let tap = 0; tap < kernel; tap++) {
        result[(out * kernel + tap) * hidden + first + i] = weights[(out * width + i) * kernel + tap];
      }
    }
  }
  return result;
}
