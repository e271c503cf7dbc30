import { z } from "zod";
import { activationNames } from "../graph/blocks/activation.js";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { headSize, layerNorm, linears } from "./decoder/gpt-like.js";
import type { DecoderSpec, LayerSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const kind = z.enum(["global", "local"]);

const schema = z
  .looseObject({
    vocab_size: count,
    hidden_size: count,
    intermediate_size: count.nullish(),
    num_layers: count.max(10_000),
    num_heads: count,
    /** Patterns of layers, and how often each is repeated. */
    attention_types: z
      .array(z.tuple([z.array(kind), count.max(10_000)]))
      .default([[["global", "local"], 12]]),
    window_size: count.default(256),
    max_position_embeddings: positions.default(2048),
    layer_norm_epsilon: z.number().positive().default(1e-5),
    activation_function: z.enum(activationNames).default("gelu_new"),
    tie_word_embeddings: z.boolean().default(true),
  })
  .refine((config) => kindsOf(config.attention_types, config.num_layers).length === config.num_layers, {
    path: ["attention_types"],
    message: "it must name every layer",
  });

/** GPT-Neo: every other layer sees a window only, and nothing scales the scores. Source: transformers, models/gpt_neo/modeling_gpt_neo.py. */
export const gptNeo: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "gpt_neo",
  prefixes: ["transformer."],

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const { hidden_size: hidden, num_heads: heads, layer_norm_epsilon: epsilon } = config;
    const headDim = headSize(hidden, heads, "num_heads");
    const layer = (kind: Kind, index: number): LayerSpec => {
      const name = `h.${index}`;
      return {
        name,
        residual: "pre",
        norms: { attention: layerNorm(`${name}.ln_1`, epsilon), mlp: layerNorm(`${name}.ln_2`, epsilon) },
        attention: {
          ...{ heads, kvHeads: heads, headDim },
          qkv: linears(`${name}.attn.attention`, ["q_proj", "k_proj", "v_proj"], false),
          output: linears(name, ["attn.attention.out_proj"]),
          scale: 1,
          ...(kind === "local" && { window: config.window_size }),
        },
        mlp: {
          kind: "plain",
          inner: config.intermediate_size ?? 4 * hidden,
          up: linears(name, ["mlp.c_fc"]),
          down: linears(name, ["mlp.c_proj"]),
          activation: config.activation_function,
        },
      };
    };
    return {
      hidden,
      contextLength: config.max_position_embeddings,
      embedding: { tokens: "wte", positions: { module: "wpe" } },
      layers: kindsOf(config.attention_types, config.num_layers).map(layer),
      norm: layerNorm("ln_f", epsilon),
      head: { module: "lm_head", tied: config.tie_word_embeddings },
    };
  },
};

type Kind = z.infer<typeof kind>;

/** The kind of each layer; one more than `most` where there are too many. */
function kindsOf(types: [Kind[], number][], most: number): Kind[] {
  const kinds: Kind[] = [];
  for (const [pattern, times] of types)
    for (let i = 0; i < times && kinds.length <= most; i++) kinds.push(...pattern);
  return kinds;
}
