import { z } from "zod";
import { causalAttention, decoderInputs } from "../graph/blocks/attention.js";
import { embedding, storeTableOf } from "../graph/blocks/embedding.js";
import { product, storeLinear } from "../graph/blocks/linear.js";
import { lmHead, selectRows } from "../graph/blocks/lm-head.js";
import { activations, mlp } from "../graph/blocks/mlp.js";
import { addLayerNorm, layerNorm } from "../graph/blocks/norm.js";
import type { Value } from "../graph/builder.js";
import type { MatrixRole } from "../graph/model-weights.js";
import { count, parseWith, positions as positionCount } from "./config.js";
import { ggufNumber } from "./gguf.js";
import type { Architecture } from "./types.js";

const fields = z.looseObject({
  vocab_size: count,
  n_embd: count,
  n_layer: count,
  n_head: count,
  n_inner: count.nullish(),
  n_positions: positionCount.default(1024),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  activation_function: z.enum(Object.keys(activations) as (keyof typeof activations)[]).default("gelu_new"),
  scale_attn_weights: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(true),
  add_cross_attention: z.literal(false).default(false),
});

const schema = fields.refine((config) => config.n_embd % config.n_head === 0, {
  path: ["n_head"],
  message: "it must divide n_embd",
});

/** GPT-2, DistilGPT-2, DialoGPT. Source: transformers, models/gpt2/modeling_gpt2.py. */
export const gpt2: Architecture<z.infer<typeof schema>> = {
  modelType: "gpt2",
  tasks: ["text-generation"],
  prefixes: ["transformer."],
  // Conv1D of transformers' pytorch_utils.py keeps its weight [in, out].
  conv1d: (tensor) => /\.(c_attn|c_proj|c_fc)\.weight$/.test(tensor),

  parseConfig: (raw) => parseWith(schema, raw),

  shapes({ n_embd: hidden, n_inner }) {
    const inner = n_inner ?? 4 * hidden;
    return {
      wte: [undefined, hidden],
      wpe: [undefined, hidden],
      "h.N.ln_1": [hidden],
      "h.N.attn.c_attn": [3 * hidden, hidden],
      "h.N.attn.c_proj": [hidden, hidden],
      "h.N.ln_2": [hidden],
      "h.N.mlp.c_fc": [inner, hidden],
      "h.N.mlp.c_proj": [hidden, inner],
      ln_f: [hidden],
      lm_head: [undefined, hidden],
    };
  },

  build(g, config, ctx) {
    const inputs = decoderInputs(g);
    const positionIds = g.input("position_ids", "int64", ["batch_size", "sequence_length"]);
    const tokens = storeTableOf(g, "wte", "wte.weight", ctx);
    const positions = storeTableOf(g, "wpe", "wpe.weight", ctx, "position");
    const headDim = config.n_embd / config.n_head;
    const shape = { heads: config.n_head, kvHeads: config.n_head, headDim };
    const epsilon = config.layer_norm_epsilon;
    const last = config.n_layer - 1;
    const linearOf = (module: string, role: MatrixRole) => ({
      role,
      tensors: [`${module}.weight`],
      bias: [`${module}.bias`],
    });

    let x = g.node("Add", [
      embedding(g, "wte", inputs.inputIds, tokens),
      embedding(g, "wpe", positionIds, positions),
    ]);
    let delta: Value | undefined;
    let deltaBias: Value | undefined;
    for (let layer = 0; layer <= last; layer++) {
      const name = `h.${layer}`;
      const at = g.at(name);
      const norm = { weight: `${name}.ln_1.weight`, bias: `${name}.ln_1.bias`, epsilon };
      let normed: Value;
      if (delta === undefined) normed = layerNorm(at, "ln_1", x, norm, ctx);
      else ({ normed, sum: x } = addLayerNorm(at, "ln_1", x, delta, deltaBias, norm, ctx));

      const scale =
        (config.scale_attn_weights ? headDim ** -0.5 : 1) /
        (config.scale_attn_by_inverse_layer_idx ? layer + 1 : 1);
      const qkv = linearOf(`${name}.attn.c_attn`, "qkv");
      let attended = causalAttention(at.at("attn"), normed, { layer, qkv, shape, inputs, scale }, ctx);
      if (layer === last) {
        attended = selectRows(at.at("attn/select"), attended, config.n_embd, inputs.logitsIndices);
        x = selectRows(at.at("select"), x, config.n_embd, inputs.logitsIndices);
      }
      const out = storeLinear(
        at.at("attn"),
        "c_proj",
        linearOf(`${name}.attn.c_proj`, "attention_output"),
        ctx,
      );
      const projected = product(at.at("attn/c_proj"), attended, out.matrix, { compute: ctx.compute });
      const postNorm = { weight: `${name}.ln_2.weight`, bias: `${name}.ln_2.bias`, epsilon };
      ({ normed, sum: x } = addLayerNorm(at, "ln_2", x, projected, out.bias, postNorm, ctx));
      const up = linearOf(`${name}.mlp.c_fc`, layer === last ? "last_mlp_up" : "mlp_up");
      const down = linearOf(`${name}.mlp.c_proj`, "mlp_down");
      ({ y: delta, bias: deltaBias } = mlp(
        at.at("mlp"),
        normed,
        { up, down, activation: config.activation_function },
        ctx,
      ));
    }
    const finalNorm = { weight: "ln_f.weight", bias: "ln_f.bias", epsilon };
    const { normed } = addLayerNorm(g, "ln_f", x, delta as Value, deltaBias, finalNorm, ctx);
    const tied = config.tie_word_embeddings || !ctx.weights.has("lm_head.weight");
    lmHead(g, normed, tied ? { tied: tokens } : { tensor: "lm_head.weight" }, ctx);

    return {
      kind: "decoder",
      layers: config.n_layer,
      heads: config.n_head,
      kvHeads: config.n_head,
      headDim,
      vocabularySize: tokens.rows,
      contextLength: Math.min(config.n_positions, positions.rows),
      positionIds: true,
    };
  },

  gguf: {
    config: (metadata, tensors) => ({
      vocab_size: ggufNumber(
        metadata,
        "gpt2.vocab_size",
        (metadata.get("tokenizer.ggml.tokens") as unknown[])?.length,
      ),
      n_embd: ggufNumber(metadata, "gpt2.embedding_length"),
      n_inner: metadata.has("gpt2.feed_forward_length")
        ? ggufNumber(metadata, "gpt2.feed_forward_length")
        : undefined,
      n_layer: ggufNumber(metadata, "gpt2.block_count"),
      n_head: ggufNumber(metadata, "gpt2.attention.head_count"),
      n_positions: ggufNumber(metadata, "gpt2.context_length"),
      layer_norm_epsilon: ggufNumber(metadata, "gpt2.attention.layer_norm_epsilon"),
      tie_word_embeddings: !tensors.has("output.weight"),
    }),
    tensors: {
      token_embd: "wte",
      position_embd: "wpe",
      output_norm: "ln_f",
      output: "lm_head",
      "blk.N.attn_norm": "h.N.ln_1",
      "blk.N.attn_qkv": "h.N.attn.c_attn",
      "blk.N.attn_output": "h.N.attn.c_proj",
      "blk.N.ffn_norm": "h.N.ln_2",
      "blk.N.ffn_up": "h.N.mlp.c_fc",
      "blk.N.ffn_down": "h.N.mlp.c_proj",
    },
  },
};
