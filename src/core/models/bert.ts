import { z } from "zod";
import { activationNames } from "../graph/blocks/activation.js";
import { classifierHead } from "../graph/blocks/classifier-head.js";
import { embedding, storeTableOf } from "../graph/blocks/embedding.js";
import { encoderAttention } from "../graph/blocks/encoder-attention.js";
import { product, storeLinear } from "../graph/blocks/linear.js";
import { mlp } from "../graph/blocks/mlp.js";
import { addLayerNorm, layerNorm } from "../graph/blocks/norm.js";
import type { MatrixRole } from "../graph/model-weights.js";
import { classifierFields, classifierOf, classifierTasks } from "./classifier.js";
import { count, parseWith, positions } from "./config.js";
import { ggufNumber } from "./gguf.js";
import type { Architecture } from "./types.js";

const fields = z.looseObject({
  vocab_size: count,
  hidden_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  intermediate_size: count.default(3072),
  max_position_embeddings: positions.default(512),
  layer_norm_eps: z.number().positive().default(1e-12),
  hidden_act: z.enum(activationNames).default("gelu"),
  position_embedding_type: z.literal("absolute").default("absolute"),
  is_decoder: z.literal(false).default(false),
  ...classifierFields,
});

/** The class with a head that is built. */
const HEAD = "BertForSequenceClassification";

const schema = fields.refine((config) => config.hidden_size % config.num_attention_heads === 0, {
  path: ["num_attention_heads"],
  message: "it must divide hidden_size",
});

/** BERT as an encoder: last_hidden_state, and the logits of a sequence classification head. Source: transformers, models/bert/modeling_bert.py. */
export const bert: Architecture<z.infer<typeof schema>> = {
  modelType: "bert",
  tasks: ["feature-extraction", "sentence-similarity"],
  headTasks: (raw) => classifierTasks(raw, HEAD),
  prefixes: ["bert."],
  rename: (tensor) =>
    tensor.replace(/LayerNorm\.gamma$/, "LayerNorm.weight").replace(/LayerNorm\.beta$/, "LayerNorm.bias"),

  parseConfig: (raw) => parseWith(schema, raw),

  shapes(config) {
    const { hidden_size: hidden, intermediate_size: inner } = config;
    const classifier = classifierOf(config, HEAD);
    return {
      ...(classifier && {
        "pooler.dense": [hidden, hidden],
        classifier: [classifier.labels.length, hidden],
      }),
      "embeddings.word_embeddings": [undefined, hidden],
      "embeddings.position_embeddings": [undefined, hidden],
      "embeddings.token_type_embeddings": [undefined, hidden],
      "embeddings.LayerNorm": [hidden],
      "encoder.layer.N.attention.self.query": [hidden, hidden],
      "encoder.layer.N.attention.self.key": [hidden, hidden],
      "encoder.layer.N.attention.self.value": [hidden, hidden],
      "encoder.layer.N.attention.output.dense": [hidden, hidden],
      "encoder.layer.N.attention.output.LayerNorm": [hidden],
      "encoder.layer.N.intermediate.dense": [inner, hidden],
      "encoder.layer.N.output.dense": [hidden, inner],
      "encoder.layer.N.output.LayerNorm": [hidden],
    };
  },

  build(g, config, ctx) {
    const inputIds = g.input("input_ids", "int64", ["batch_size", "sequence_length"]);
    const tokenTypeIds = g.input("token_type_ids", "int64", ["batch_size", "sequence_length"]);
    const positionIds = g.input("position_ids", "int64", ["sequence_length"]);
    const lengths = g.input("lengths", "int32", ["batch_size"]);
    const epsilon = config.layer_norm_eps;
    const headDim = config.hidden_size / config.num_attention_heads;
    const shape = { heads: config.num_attention_heads, kvHeads: config.num_attention_heads, headDim };

    const tables = {
      word: storeTableOf(g, "word_embeddings", "embeddings.word_embeddings.weight", ctx),
      position: storeTableOf(
        g,
        "position_embeddings",
        "embeddings.position_embeddings.weight",
        ctx,
        "position",
      ),
      type: storeTableOf(
        g,
        "token_type_embeddings",
        "embeddings.token_type_embeddings.weight",
        ctx,
        "position",
      ),
    };
    const words = g.node("Add", [
      embedding(g, "word_embeddings", inputIds, tables.word),
      embedding(g, "token_type_embeddings", tokenTypeIds, tables.type),
    ]);
    const summed = g.node("Add", [words, embedding(g, "position_embeddings", positionIds, tables.position)]);
    const name = "embeddings.LayerNorm";
    let x = layerNorm(g, name, summed, { weight: `${name}.weight`, bias: `${name}.bias`, epsilon }, ctx);

    for (let layer = 0; layer < config.num_hidden_layers; layer++) {
      const module = `encoder.layer.${layer}`;
      const at = g.at(`layers.${layer}`);
      const of = (names: string[], role: MatrixRole) => ({
        role,
        tensors: names.map((tensor) => `${module}.${tensor}.weight`),
        bias: names.map((tensor) => `${module}.${tensor}.bias`),
      });
      const norm = (tensor: string) => ({
        weight: `${module}.${tensor}.LayerNorm.weight`,
        bias: `${module}.${tensor}.LayerNorm.bias`,
        epsilon,
      });
      const qkv = of(["attention.self.query", "attention.self.key", "attention.self.value"], "qkv");
      const attended = encoderAttention(at.at("attn"), x, { qkv, shape, lengths }, ctx);
      const out = storeLinear(
        at.at("attn"),
        "output",
        of(["attention.output.dense"], "attention_output"),
        ctx,
      );
      const projected = product(at.at("attn/output"), attended, out.matrix, { compute: ctx.compute });
      // BERT norms after the sum, so the normed value is the next residual.
      ({ normed: x } = addLayerNorm(
        at,
        "attention.LayerNorm",
        x,
        projected,
        out.bias,
        norm("attention.output"),
        ctx,
      ));
      const up = of(["intermediate.dense"], "mlp_up");
      const down = of(["output.dense"], "mlp_down");
      const { y, bias } = mlp(at.at("mlp"), x, { up, down, activation: config.hidden_act }, ctx);
      const isLast = layer === config.num_hidden_layers - 1;
      ({ normed: x } = addLayerNorm(
        at,
        "output.LayerNorm",
        x,
        y,
        bias,
        norm("output"),
        ctx,
        isLast ? "last_hidden_state" : undefined,
      ));
    }
    g.output(x, "float32", ["batch_size", "sequence_length", config.hidden_size]);
    const classifier = classifierOf(config, HEAD);
    if (classifier) {
      const modules = { pooler: "pooler.dense", classifier: "classifier" };
      classifierHead(g, x, classifier.labels.length, modules, ctx);
    }
    return {
      kind: "encoder",
      hiddenSize: config.hidden_size,
      vocabularySize: tables.word.rows,
      contextLength: Math.min(config.max_position_embeddings, tables.position.rows),
      ...(classifier && { classifier: { ...classifier, segments: tables.type.rows } }),
    };
  },

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
};
