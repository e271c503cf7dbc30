import { z } from "zod";
import { activationNames } from "../graph/blocks/activation.js";
import { embedding, storeTableOf } from "../graph/blocks/embedding.js";
import { encoderAttention, windowBias } from "../graph/blocks/encoder-attention.js";
import { gatedMlp, project } from "../graph/blocks/mlp.js";
import { addLayerNorm, layerNorm } from "../graph/blocks/norm.js";
import { type Rope, readRope, ropeTables } from "../graph/blocks/rope.js";
import type { Value } from "../graph/builder.js";
import type { MatrixRole } from "../graph/model-weights.js";
import { count, parseWith, positions } from "./config.js";
import type { Architecture } from "./types.js";

const layerType = z.enum(["full_attention", "sliding_attention"]);

const fields = z.looseObject({
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count.default(1152),
  num_hidden_layers: count,
  num_attention_heads: count,
  max_position_embeddings: positions.default(8192),
  hidden_activation: z.enum(activationNames).default("gelu"),
  norm_eps: z.number().positive().default(1e-5),
  norm_bias: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  local_attention: count.default(128),
  layer_types: z.array(layerType).nullish(),
  global_attn_every_n_layers: count.default(3),
  global_rope_theta: z.number().positive().default(160_000),
  /** null stands for the global one. */
  local_rope_theta: z.number().positive().nullable().default(10_000),
  rope_parameters: z.partialRecord(layerType, z.looseObject({})).nullish(),
});

const schema = fields
  .refine((config) => (config.hidden_size / config.num_attention_heads) % 2 === 0, {
    path: ["num_attention_heads"],
    message: "it must divide hidden_size into heads of an even size",
  })
  .refine((config) => !config.layer_types || config.layer_types.length === config.num_hidden_layers, {
    path: ["layer_types"],
    message: "it must name num_hidden_layers layers",
  });

type LayerType = z.infer<typeof layerType>;

interface Config extends z.infer<typeof fields> {
  layerTypes: LayerType[];
  ropes: Record<LayerType, Rope>;
}

/**
 * ModernBERT, Ettin's encoders and what is made of them: pre-norm, rotated heads, most layers see only their neighbours.
 * Source: transformers, models/modernbert/modeling_modernbert.py.
 */
export const modernbert: Architecture<Config> = {
  modelType: "modernbert",
  tasks: ["feature-extraction", "sentence-similarity"],
  prefixes: ["model."],

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const headDim = config.hidden_size / config.num_attention_heads;
    const rope = (type: LayerType, theta: number): Rope =>
      readRope({ rope_theta: theta, rope_parameters: config.rope_parameters?.[type] }, headDim);
    return {
      ...config,
      layerTypes:
        config.layer_types ??
        Array.from({ length: config.num_hidden_layers }, (_, i) =>
          i % config.global_attn_every_n_layers ? "sliding_attention" : "full_attention",
        ),
      ropes: {
        full_attention: rope("full_attention", config.global_rope_theta),
        sliding_attention: rope("sliding_attention", config.local_rope_theta ?? config.global_rope_theta),
      },
    };
  },

  shapes({ hidden_size: hidden, intermediate_size: inner }) {
    return {
      "embeddings.tok_embeddings": [undefined, hidden],
      "embeddings.norm": [hidden],
      // Layer 0 has none.
      "layers.1.attn_norm": [hidden],
      "layers.N.attn.Wqkv": [3 * hidden, hidden],
      "layers.N.attn.Wo": [hidden, hidden],
      "layers.N.mlp_norm": [hidden],
      "layers.N.mlp.Wi": [2 * inner, hidden],
      "layers.N.mlp.Wo": [hidden, inner],
      final_norm: [hidden],
    };
  },

  build(g, config, ctx) {
    const inputIds = g.input("input_ids", "int64", ["batch_size", "sequence_length"]);
    g.input("token_type_ids", "int64", ["batch_size", "sequence_length"]);
    const positionIds = g.input("position_ids", "int64", ["sequence_length"]);
    const lengths = g.input("lengths", "int32", ["batch_size"]);
    const heads = config.num_attention_heads;
    const shape = { heads, kvHeads: heads, headDim: config.hidden_size / heads };
    const norm = (module: string) => ({
      weight: `${module}.weight`,
      ...(config.norm_bias && { bias: `${module}.bias` }),
      epsilon: config.norm_eps,
    });
    const of = (module: string, role: MatrixRole, bias: boolean) => ({
      role,
      tensors: [`${module}.weight`],
      ...(bias && { bias: [`${module}.bias`] }),
    });

    const table = storeTableOf(g, "tok_embeddings", "embeddings.tok_embeddings.weight", ctx);
    const kinds = new Set(config.layerTypes);
    const local = kinds.has("sliding_attention")
      ? {
          rope: ropeTables(
            g,
            config.ropes.sliding_attention,
            config.max_position_embeddings,
            ctx,
            "rope.local",
          ),
          bias: windowBias(g.at("window"), positionIds, Math.floor(config.local_attention / 2)),
        }
      : undefined;
    const global = kinds.has("full_attention")
      ? { rope: ropeTables(g, config.ropes.full_attention, config.max_position_embeddings, ctx) }
      : undefined;

    let x = layerNorm(
      g,
      "norm",
      embedding(g, "tok_embeddings", inputIds, table),
      norm("embeddings.norm"),
      ctx,
    );
    let delta: { y: Value; bias?: Value } | undefined;
    for (const [layer, type] of config.layerTypes.entries()) {
      const name = `layers.${layer}`;
      const at = g.at(name);
      let normed = x;
      if (delta) {
        ({ normed, sum: x } = addLayerNorm(
          at,
          "attn_norm",
          x,
          delta.y,
          delta.bias,
          norm(`${name}.attn_norm`),
          ctx,
        ));
      }
      const qkv = of(`${name}.attn.Wqkv`, "qkv", config.attention_bias);
      const kind = type === "full_attention" ? global : local;
      const attended = encoderAttention(at.at("attn"), normed, { qkv, shape, lengths, ...kind }, ctx);
      const out = of(`${name}.attn.Wo`, "attention_output", config.attention_bias);
      const projected = project(at.at("attn"), "output", attended, out, ctx);
      ({ normed, sum: x } = addLayerNorm(
        at,
        "mlp_norm",
        x,
        projected.y,
        projected.bias,
        norm(`${name}.mlp_norm`),
        ctx,
      ));
      const gateUp = of(`${name}.mlp.Wi`, "mlp_up", config.mlp_bias);
      const down = of(`${name}.mlp.Wo`, "mlp_down", config.mlp_bias);
      delta = gatedMlp(at.at("mlp"), normed, { gateUp, down, activation: config.hidden_activation }, ctx);
    }
    const last = delta as { y: Value; bias?: Value };
    addLayerNorm(g, "final_norm", x, last.y, last.bias, norm("final_norm"), ctx, "last_hidden_state");
    g.output("last_hidden_state" as Value, "float32", ["batch_size", "sequence_length", config.hidden_size]);
    return {
      kind: "encoder",
      hiddenSize: config.hidden_size,
      vocabularySize: table.rows,
      contextLength: config.max_position_embeddings,
    };
  },
};
