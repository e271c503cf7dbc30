import { HfmsError } from "../../errors.js";
import type { Activation } from "../../graph/blocks/activation.js";
import type { HeadNorms } from "../../graph/blocks/head-norm.js";
import type { MetadataValue } from "../../weights/types.js";
import { ggufNumber } from "../gguf.js";
import { groupedParts, type Part, stackedParts } from "../parts.js";
import type { Shapes } from "../shapes.js";
import type { Architecture } from "../types.js";
import { decoderShapes } from "./shapes.js";
import type { DecoderSpec, EmbeddingSpec, HeadSpec, LayerSpec, LinearSpec, NormSpec } from "./spec.js";

/** What models before llama have in common: LayerNorm with a bias, linear layers with biases, fused projections. */

export function layerNorm(module: string, epsilon: number, bias = true): NormSpec {
  return { kind: "layer", module, epsilon, bias };
}

/** LayerNorms of every query's and every key's head, in the scope of an attention. */
export function headLayerNorms(attention: string, epsilon: number): HeadNorms {
  const tensors = (name: string) => ({
    weight: [`${attention}.${name}.weight`],
    bias: `${attention}.${name}.bias`,
  });
  const [query, key] = [tensors("q_layernorm"), tensors("k_layernorm")];
  return {
    ...{ kind: "layer", over: "head", epsilon },
    ...{ query: query.weight, queryBias: query.bias, key: key.weight, keyBias: key.bias },
  };
}

/** Linear layers of the scope `layer`. */
export function linears(layer: string, modules: string[], bias = true): LinearSpec {
  return { modules: modules.map((module) => `${layer}.${module}`), bias };
}

/** The size of a head; throws unsupported_model where the heads don't share the width evenly. */
export function headSize(width: number, heads: number, field: string): number {
  if (width % heads === 0) return width / heads;
  throw new HfmsError(
    "unsupported_model",
    `config.json: ${field} is ${heads}: it must divide the width, ${width}`,
    { param: field },
  );
}

/** Names of the parts that a fused projection is taken apart into. */
export const queryKeyValue = ["query", "key", "value"];

/**
 * For models whose one stored module has q, k and v of each head together, or of each group of heads that shares a key:
 * `attention.qkv` of their spec names `query`, `key` and `value` beside it. llama.cpp's converter puts all queries first,
 * then keys, then values. Source: llama.cpp, conversion of gpt_neox, bloom and falcon.
 */
export function fusedHeads(fused: string): Required<Pick<Architecture<DecoderSpec>, "parts" | "shapes">> {
  const scope = fused.slice(0, fused.lastIndexOf(".") + 1);
  const modules = (spec: DecoderSpec) =>
    spec.layers.map(({ name, attention: { heads, kvHeads, headDim } }) => {
      const [q, k, v] = queryKeyValue.map((part) => `${name}.${scope}${part}`);
      return { module: `${name}.${fused}`, names: { q, k, v }, heads, kvHeads, headDim };
    });
  return {
    parts(spec, format) {
      const parts: Record<string, Part> = {};
      for (const { module, names, heads, kvHeads, headDim } of modules(spec)) {
        const { q, k, v } = names;
        const rows = { [q]: heads * headDim, [k]: kvHeads * headDim, [v]: kvHeads * headDim };
        const group = { groups: kvHeads, queries: heads / kvHeads, headDim };
        Object.assign(
          parts,
          format === "gguf" ? stackedParts(module, rows) : groupedParts(module, names, group),
        );
      }
      return parts;
    },
    shapes(spec) {
      const stored: Shapes = {};
      for (const { module, heads, kvHeads, headDim } of modules(spec))
        stored[module] = [(heads + 2 * kvHeads) * headDim, spec.hidden];
      return { ...decoderShapes(spec), ...stored };
    },
  };
}

/** What fairseq's decoders say of themselves. */
interface Fairseq {
  hidden: number;
  inner: number;
  layers: number;
  heads: number;
  /** The field of config.json that says how many heads there are. */
  headsField: string;
  contextLength: number;
  activation: Activation;
  /** Rows of the table of tokens are multiplied with the root of the width. */
  scaled: boolean;
  positions: EmbeddingSpec["positions"];
  head: HeadSpec;
}

/** The spec of decoders that came from fairseq. Their norms have PyTorch's own epsilon, whatever config.json says. */
export function fairseqSpec(of: Fairseq): DecoderSpec {
  const { hidden, heads } = of;
  const headDim = headSize(hidden, heads, of.headsField);
  const norm = (module: string) => layerNorm(module, 1e-5);
  const layer = (index: number): LayerSpec => {
    const name = `layers.${index}`;
    return {
      name,
      residual: "pre",
      norms: { attention: norm(`${name}.self_attn_layer_norm`), mlp: norm(`${name}.final_layer_norm`) },
      attention: {
        ...{ heads, kvHeads: heads, headDim },
        qkv: linears(`${name}.self_attn`, ["q_proj", "k_proj", "v_proj"]),
        output: linears(name, ["self_attn.out_proj"]),
      },
      mlp: {
        kind: "plain",
        inner: of.inner,
        up: linears(name, ["fc1"]),
        down: linears(name, ["fc2"]),
        activation: of.activation,
      },
    };
  };
  return {
    hidden,
    contextLength: of.contextLength,
    embedding: {
      tokens: "embed_tokens",
      ...(of.scaled && { scale: Math.sqrt(hidden) }),
      positions: of.positions,
    },
    layers: Array.from({ length: of.layers }, (_, index) => layer(index)),
    norm: norm("layer_norm"),
    head: of.head,
  };
}

/** What GGUF says of every such model, under transformers' usual names. */
export function gptGgufConfig(
  metadata: ReadonlyMap<string, MetadataValue>,
  tensors: ReadonlySet<string>,
  name: string,
) {
  const number = (key: string, fallback?: number) => ggufNumber(metadata, `${name}.${key}`, fallback);
  const hidden = number("embedding_length");
  const heads = number("attention.head_count");
  return {
    vocab_size: number("vocab_size", (metadata.get("tokenizer.ggml.tokens") as unknown[])?.length),
    hidden_size: hidden,
    intermediate_size: number("feed_forward_length", 4 * hidden),
    num_hidden_layers: number("block_count"),
    num_attention_heads: heads,
    num_key_value_heads: number("attention.head_count_kv", heads),
    max_position_embeddings: number("context_length", 2048),
    layer_norm_eps: number("attention.layer_norm_epsilon", 1e-5),
    rope_theta: number("rope.freq_base", 10_000),
    // A share that gives the count again when what is behind its point is cut off.
    partial_rotary_factor: (number("rope.dimension_count", hidden / heads) + 0.5) / (hidden / heads + 0.5),
    tie_word_embeddings: !tensors.has("output.weight"),
  };
}
