import { z } from "zod";
import { count, parseWith } from "./config.js";
import { encoder } from "./encoder/architecture.js";
import { type BertConfig, bertConfig, bertEmbeddings, bertHeads, bertSpec } from "./encoder/bert-like.js";
import { type LayerModules, layerModules } from "./encoder/spec.js";

/** Published models have one group of one layer. Every layer of every group is made. */
const groupCount = z.int().positive().max(64);

const groups = z.looseObject({
  embedding_size: count.default(128),
  num_hidden_groups: groupCount.default(1),
  inner_group_num: groupCount.default(1),
});

/** ALBERT: layers share their parameters. Source: transformers, models/albert/modeling_albert.py. */
export const albert = encoder({
  modelType: "albert",
  prefixes: ["albert."],

  read(raw) {
    const config = bertConfig(raw, { hidden_act: "gelu_new", intermediate_size: 16384 });
    const { embedding_size: size, num_hidden_groups, inner_group_num } = parseWith(groups, raw);
    const spec = bertSpec(config, {
      ...bertEmbeddings,
      size,
      projection: "encoder.embedding_hidden_mapping_in",
    });
    const grouped = Array.from({ length: num_hidden_groups }, (_, group) =>
      layerModules(modules(`encoder.albert_layer_groups.${group}.albert_layers.N`), inner_group_num),
    );
    const perGroup = config.num_hidden_layers / num_hidden_groups;
    const layers = Array.from(
      { length: config.num_hidden_layers },
      (_, layer) => grouped[Math.floor(layer / perGroup)],
    );
    return { ...spec, layers: layers.flat() };
  },

  heads(raw) {
    const { hidden_act: activation = "gelu_new", layer_norm_eps: epsilon = 1e-12 } =
      raw as Partial<BertConfig>;
    return {
      ...bertHeads(raw),
      classifier: { pooler: { module: "pooler", activation: "tanh" }, scores: "classifier" },
      mask: {
        transform: { dense: "predictions.dense", activation, norm: "predictions.LayerNorm", epsilon },
        decoder: "predictions.decoder",
        bias: ["predictions.bias", "predictions.decoder.bias"],
      },
    };
  },
});

function modules(layer: string): LayerModules {
  return {
    query: `${layer}.attention.query`,
    key: `${layer}.attention.key`,
    value: `${layer}.attention.value`,
    attentionOutput: `${layer}.attention.dense`,
    attentionNorm: `${layer}.attention.LayerNorm`,
    up: `${layer}.ffn`,
    down: `${layer}.ffn_output`,
    mlpNorm: `${layer}.full_layer_layer_norm`,
  };
}
