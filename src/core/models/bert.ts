import { encoder } from "./encoder/architecture.js";
import { bertConfig, bertHeads, bertSpec, oldNormNames } from "./encoder/bert-like.js";
import { ggufNumber } from "./gguf.js";

/** BERT, MiniLM, BGE, E5, GTE and others. Source: transformers, models/bert/modeling_bert.py. */
export const bert = encoder({
  modelType: "bert",
  prefixes: ["bert."],
  rename: oldNormNames,
  read: (raw) => bertSpec(bertConfig(raw)),
  heads: bertHeads,

  gguf: {
    config: (metadata) => ({
      vocab_size: (metadata.get("tokenizer.ggml.tokens") as unknown[])?.length,
      hidden_size: ggufNumber(metadata, "bert.embedding_length"),
      intermediate_size: ggufNumber(metadata, "bert.feed_forward_length"),
      num_hidden_layers: ggufNumber(metadata, "bert.block_count"),
      num_attention_heads: ggufNumber(metadata, "bert.attention.head_count"),
      max_position_embeddings: ggufNumber(metadata, "bert.context_length"),
      layer_norm_eps: ggufNumber(metadata, "bert.attention.layer_norm_epsilon"),
    }),
    tensors: {
      token_embd: "embeddings.word_embeddings",
      position_embd: "embeddings.position_embeddings",
      token_types: "embeddings.token_type_embeddings",
      token_embd_norm: "embeddings.LayerNorm",
      "blk.N.attn_q": "encoder.layer.N.attention.self.query",
      "blk.N.attn_k": "encoder.layer.N.attention.self.key",
      "blk.N.attn_v": "encoder.layer.N.attention.self.value",
      "blk.N.attn_output": "encoder.layer.N.attention.output.dense",
      "blk.N.attn_output_norm": "encoder.layer.N.attention.output.LayerNorm",
      "blk.N.ffn_up": "encoder.layer.N.intermediate.dense",
      "blk.N.ffn_down": "encoder.layer.N.output.dense",
      "blk.N.layer_output_norm": "encoder.layer.N.output.LayerNorm",
    },
  },
});
