import { z } from "zod";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { headSize, layerNorm, linears } from "./decoder/gpt-like.js";
import type { DecoderSpec, LayerSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = z.looseObject({
  vocab_size: count,
  n_embd: count,
  n_layer: count,
  n_head: count,
  n_positions: positions.default(512),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  afn: z.enum(["gelu", "relu", "silu", "swish"]).default("gelu"),
  tie_word_embeddings: z.boolean().default(true),
});

/** GPT, the first one: norms stand behind the branches. Source: transformers, models/openai/modeling_openai.py. */
export const openaiGpt: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "openai-gpt",
  prefixes: ["transformer."],
  // Conv1D of transformers' pytorch_utils.py keeps its weight [in, out].
  conv1d: (tensor) => /\.(c_attn|c_proj|c_fc)\.weight$/.test(tensor),

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const { n_embd: hidden, n_head: heads, layer_norm_epsilon: epsilon } = config;
    const headDim = headSize(hidden, heads, "n_head");
    const layer = (index: number): LayerSpec => {
      const name = `h.${index}`;
      return {
        name,
        residual: "post",
        norms: { attention: layerNorm(`${name}.ln_1`, epsilon), mlp: layerNorm(`${name}.ln_2`, epsilon) },
        attention: {
          ...{ heads, kvHeads: heads, headDim },
          qkv: linears(name, ["attn.c_attn"]),
          output: linears(name, ["attn.c_proj"]),
        },
        mlp: {
          kind: "plain",
          inner: 4 * hidden,
          up: linears(name, ["mlp.c_fc"]),
          down: linears(name, ["mlp.c_proj"]),
          // The model's own table of names: its gelu is the approximation.
          activation: config.afn === "gelu" ? "gelu_new" : config.afn,
        },
      };
    };
    return {
      hidden,
      contextLength: config.n_positions,
      embedding: { tokens: "tokens_embed", positions: { module: "positions_embed" } },
      layers: Array.from({ length: config.n_layer }, (_, index) => layer(index)),
      head: { module: "lm_head", tied: config.tie_word_embeddings },
    };
  },
};
