import { z } from "zod";
import { count, parseWith } from "./config.js";
import { encoder } from "./encoder/architecture.js";
import { bertConfig, bertEmbeddings, bertHeads, bertSpec } from "./encoder/bert-like.js";

const fields = z.looseObject({
  attention_type: z.enum(["block_sparse", "original_full"]).default("block_sparse"),
  block_size: count.default(64),
  num_random_blocks: count.default(3),
  use_bias: z.literal(true).default(true),
  rescale_embeddings: z.literal(false).default(false),
});

/**
 * BigBird, for texts that it attends to in full: 704 tokens by default, where it would attend to blocks of longer ones.
 * Source: transformers, models/big_bird/modeling_big_bird.py.
 */
export const bigBird = encoder({
  modelType: "big_bird",
  prefixes: ["bert."],

  read(raw) {
    const config = parseWith(fields, raw);
    const spec = bertSpec(
      bertConfig(raw, { hidden_act: "gelu_new", max_position_embeddings: 4096 }),
      bertEmbeddings,
    );
    const full = (5 + 2 * config.num_random_blocks) * config.block_size;
    return config.attention_type === "original_full"
      ? spec
      : { ...spec, contextLength: Math.min(spec.contextLength, full) };
  },

  heads(raw) {
    const { mask, tokens } = bertHeads({ hidden_act: "gelu_new", ...raw });
    const activation = mask?.transform?.activation ?? "gelu_new";
    // Its class for questions has a layer of its own before the spans.
    return {
      classifier: { pooler: { module: "classifier.dense", activation }, scores: "classifier.out_proj" },
      tokens,
      mask,
    };
  },
});
