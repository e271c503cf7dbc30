import { z } from "zod";
import { parseWith } from "./config.js";
import { debertaEncoder, debertaFields, debertaHeads, debertaShapes } from "./deberta/encoder.js";
import { encoderWithHeads, type HeadedModel } from "./encoder/with-heads.js";
import { groupedParts } from "./parts.js";
import type { Architecture } from "./types.js";

const schema = z
  .looseObject({ ...debertaFields, talking_head: z.literal(false).default(false) })
  .refine((config) => config.hidden_size % config.num_attention_heads === 0, {
    path: ["num_attention_heads"],
    message: "it must divide hidden_size",
  });

type Config = z.infer<typeof schema>;

/**
 * DeBERTa, the first one: every distance for itself, q, k and v of a head stored together, k without a bias. Source:
 * transformers, models/deberta/modeling_deberta.py.
 */
export const deberta: Architecture<HeadedModel<Config>> = encoderWithHeads<Config>({
  modelType: "deberta",
  prefixes: ["deberta."],

  read: (raw) => parseWith(schema, raw),
  hidden: (config) => config.hidden_size,
  heads: debertaHeads,

  parts({ num_hidden_layers: layers, num_attention_heads: groups, hidden_size }) {
    const size = { groups, queries: 1, headDim: hidden_size / groups };
    const names = Array.from({ length: layers }, (_, layer) => selfOf(layer));
    return Object.assign(
      {},
      ...names.map((self) =>
        groupedParts(`${self}.in_proj`, { q: `${self}.q`, k: `${self}.k`, v: `${self}.v` }, size),
      ),
    );
  },

  shapes(config) {
    const { hidden_size: hidden } = config;
    const self = "encoder.layer.N.attention.self";
    return {
      ...debertaShapes(config),
      [`${self}.in_proj`]: [3 * hidden, hidden],
      [`${self}.pos_proj`]: [hidden, hidden],
      [`${self}.pos_q_proj`]: [hidden, hidden],
    };
  },

  states(g, config, ctx) {
    return debertaEncoder(
      g,
      config,
      {
        content: (layer) => ({ tensors: ["q", "k", "v"].map((name) => `${selfOf(layer)}.${name}.weight`) }),
        async contentBias(layer) {
          const { hidden_size: hidden } = config;
          const bias = new Float32Array(3 * hidden);
          bias.set(await ctx.weights.read(`${selfOf(layer)}.q_bias`));
          bias.set(await ctx.weights.read(`${selfOf(layer)}.v_bias`), 2 * hidden);
          return bias;
        },
        keys: (layer) => ({ tensors: [`${selfOf(layer)}.pos_proj.weight`] }),
        queries: (layer) => ({
          tensors: [`${selfOf(layer)}.pos_q_proj.weight`],
          bias: [`${selfOf(layer)}.pos_q_proj.bias`],
        }),
      },
      ctx,
    );
  },
});

function selfOf(layer: number): string {
  return `encoder.layer.${layer}.attention.self`;
}
