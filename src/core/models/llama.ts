import { z } from "zod";
import { causalAttention, decoderInputs } from "../graph/blocks/attention.js";
import { embedding, storeTableOf } from "../graph/blocks/embedding.js";
import { linear } from "../graph/blocks/linear.js";
import { lmHead, selectRows } from "../graph/blocks/lm-head.js";
import { gatedMlp } from "../graph/blocks/mlp.js";
import { addRmsNorm, rmsNorm } from "../graph/blocks/norm.js";
import { type Rope, readRope, ropeTables } from "../graph/blocks/rope.js";
import type { Value } from "../graph/builder.js";
import type { MatrixRole } from "../graph/model-weights.js";
import { count, parseWith, positions } from "./config.js";
import { ggufNumber, ggufRope } from "./gguf.js";
import type { Architecture, DecoderInfo } from "./types.js";

const fields = z.looseObject({
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  max_position_embeddings: positions.default(2048),
  rms_norm_eps: z.number().positive().default(1e-6),
  tie_word_embeddings: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
});

const schema = fields
  .refine((config) => Number.isInteger(headDimOf(config)), {
    path: ["num_attention_heads"],
    message: "it must divide hidden_size",
  })
  .refine((config) => headDimOf(config) % 2 === 0, {
    path: ["head_dim"],
    message: "rotation takes a head in two halves",
  })
  .refine((config) => config.num_attention_heads % kvHeadsOf(config) === 0, {
    path: ["num_key_value_heads"],
    message: "it must divide num_attention_heads",
  });

type Config = z.infer<typeof schema> & { rope: Rope; headDim: number; kvHeads: number };

/** Llama 1 to 3, TinyLlama, SmolLM 1 and 2, Falcon3 and others. Source: transformers, models/llama/modeling_llama.py. */
export const llama: Architecture<Config> = {
  modelType: "llama",
  tasks: ["text-generation"],
  prefixes: ["model."],

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const headDim = headDimOf(config);
    return { ...config, headDim, kvHeads: kvHeadsOf(config), rope: readRope(raw, headDim) };
  },

  shapes({ hidden_size: hidden, intermediate_size: inner, num_attention_heads: heads, kvHeads, headDim }) {
    return {
      embed_tokens: [undefined, hidden],
      "layers.N.input_layernorm": [hidden],
      "layers.N.self_attn.q_proj": [heads * headDim, hidden],
      "layers.N.self_attn.k_proj": [kvHeads * headDim, hidden],
      "layers.N.self_attn.v_proj": [kvHeads * headDim, hidden],
      "layers.N.self_attn.o_proj": [hidden, heads * headDim],
      "layers.N.post_attention_layernorm": [hidden],
      "layers.N.mlp.gate_proj": [inner, hidden],
      "layers.N.mlp.up_proj": [inner, hidden],
      "layers.N.mlp.down_proj": [hidden, inner],
      norm: [hidden],
      lm_head: [undefined, hidden],
    };
  },

  build(g, config, ctx) {
    const inputs = decoderInputs(g);
    const table = storeTableOf(g, "embed_tokens", "embed_tokens.weight", ctx);
    const rope = ropeTables(g, config.rope, config.max_position_embeddings, ctx);
    const shape = { heads: config.num_attention_heads, kvHeads: config.kvHeads, headDim: config.headDim };
    const epsilon = config.rms_norm_eps;
    const last = config.num_hidden_layers - 1;

    let x = embedding(g, "embed_tokens", inputs.inputIds, table);
    let delta: Value | undefined;
    for (let layer = 0; layer <= last; layer++) {
      const name = `layers.${layer}`;
      const at = g.at(name);
      const norm = { weight: `${name}.input_layernorm.weight`, epsilon };
      let normed: Value;
      if (delta === undefined) normed = rmsNorm(at, "input_layernorm", x, norm, ctx);
      else ({ normed, sum: x } = addRmsNorm(at, "input_layernorm", x, delta, norm, ctx));

      const qkv = layerLinear(
        `${name}.self_attn`,
        ["q_proj", "k_proj", "v_proj"],
        "qkv",
        config.attention_bias,
      );
      let attended = causalAttention(at.at("attn"), normed, { layer, qkv, shape, inputs, rope }, ctx);
      if (layer === last) {
        // Behind the last attention nothing looks at other positions any more.
        attended = selectRows(
          at.at("attn/select"),
          attended,
          shape.heads * shape.headDim,
          inputs.logitsIndices,
        );
        x = selectRows(at.at("select"), x, config.hidden_size, inputs.logitsIndices);
      }
      const out = layerLinear(`${name}.self_attn`, ["o_proj"], "attention_output", config.attention_bias);
      const projected = linear(at.at("attn"), "o_proj", attended, out, ctx);
      const postNorm = { weight: `${name}.post_attention_layernorm.weight`, epsilon };
      ({ normed, sum: x } = addRmsNorm(at, "post_attention_layernorm", x, projected, postNorm, ctx));
      const gateUp = layerLinear(
        `${name}.mlp`,
        ["gate_proj", "up_proj"],
        layer === last ? "last_mlp_up" : "mlp_up",
        config.mlp_bias,
      );
      delta = gatedMlp(
        at.at("mlp"),
        normed,
        gateUp,
        layerLinear(`${name}.mlp`, ["down_proj"], "mlp_down", config.mlp_bias),
        ctx,
      );
    }
    const { normed } = addRmsNorm(g, "norm", x, delta as Value, { weight: "norm.weight", epsilon }, ctx);
    const tied = config.tie_word_embeddings || !ctx.weights.has("lm_head.weight");
    lmHead(g, normed, tied ? { tied: table } : { tensor: "lm_head.weight" }, ctx);

    return {
      kind: "decoder",
      layers: config.num_hidden_layers,
      heads: config.num_attention_heads,
      kvHeads: config.kvHeads,
      headDim: config.headDim,
      vocabularySize: table.rows,
      contextLength: config.max_position_embeddings,
      positionIds: false,
      rotaryDim: config.rope.rotaryDim,
    } satisfies DecoderInfo;
  },

  gguf: {
    config: (metadata, tensors) => ({
      vocab_size: ggufNumber(
        metadata,
        "llama.vocab_size",
        (metadata.get("tokenizer.ggml.tokens") as unknown[])?.length,
      ),
      hidden_size: ggufNumber(metadata, "llama.embedding_length"),
      intermediate_size: ggufNumber(metadata, "llama.feed_forward_length"),
      num_hidden_layers: ggufNumber(metadata, "llama.block_count"),
      num_attention_heads: ggufNumber(metadata, "llama.attention.head_count"),
      num_key_value_heads: ggufNumber(
        metadata,
        "llama.attention.head_count_kv",
        ggufNumber(metadata, "llama.attention.head_count"),
      ),
      head_dim: metadata.get("llama.attention.key_length"),
      max_position_embeddings: ggufNumber(metadata, "llama.context_length"),
      rms_norm_eps: ggufNumber(metadata, "llama.attention.layer_norm_rms_epsilon"),
      tie_word_embeddings: !tensors.has("output.weight"),
      attention_bias: tensors.has("blk.0.attn_q.bias"),
      mlp_bias: tensors.has("blk.0.ffn_up.bias"),
      ...ggufRope(metadata, "llama", tensors),
    }),
    tensors: {
      token_embd: "embed_tokens",
      output_norm: "norm",
      output: "lm_head",
      rope_freqs: "rope_freqs",
      "blk.N.attn_norm": "layers.N.input_layernorm",
      "blk.N.attn_q": "layers.N.self_attn.q_proj",
      "blk.N.attn_k": "layers.N.self_attn.k_proj",
      "blk.N.attn_v": "layers.N.self_attn.v_proj",
      "blk.N.attn_output": "layers.N.self_attn.o_proj",
      "blk.N.ffn_norm": "layers.N.post_attention_layernorm",
      "blk.N.ffn_gate": "layers.N.mlp.gate_proj",
      "blk.N.ffn_up": "layers.N.mlp.up_proj",
      "blk.N.ffn_down": "layers.N.mlp.down_proj",
    },
    interleaved(tensor, config) {
      if (!/self_attn\.[qk]_proj/.test(tensor)) return undefined;
      return (
        (config.head_dim as number | undefined) ??
        (config.hidden_size as number) / (config.num_attention_heads as number)
      );
    },
  },
};

function headDimOf(config: z.infer<typeof fields>): number {
  return config.head_dim ?? config.hidden_size / config.num_attention_heads;
}

function kvHeadsOf(config: z.infer<typeof fields>): number {
  return config.num_key_value_heads ?? config.num_attention_heads;
}

/** Linear layers of one module side by side: `layers.0.mlp`, ["gate_proj", "up_proj"]. */
function layerLinear(module: string, names: string[], role: MatrixRole, bias: boolean) {
  return {
    role,
    tensors: names.map((name) => `${module}.${name}.weight`),
    bias: bias ? names.map((name) => `${module}.${name}.bias`) : undefined,
  };
}
