import type { Activation } from "../../graph/blocks/activation.js";
import type { Rope } from "../../graph/blocks/rope.js";
import type { EncoderLayersSpec, LayerSpec, NormSpec } from "../decoder/spec.js";
import { type Part, stackedParts } from "../parts.js";

/** What differs between bert's rotated kin. */
export interface RotaryEncoder {
  hidden: number;
  heads: number;
  inner: number;
  layers: number;
  contextLength: number;
  epsilon: number;
  activation: Activation;
  rope: Rope;
  /** There is a table of segments. */
  segments: boolean;
  /** `gated`: gate_proj, up_proj and down_proj. `plain`: fc1 and fc2. */
  mlp: "gated" | "plain";
  biases: { attention: boolean; up: boolean; down: boolean };
}

/**
 * Bert with rotated heads: norms behind the sums, LayerNorm, no table of positions. Modules are named as transformers
 * names them for nomic_bert, gte and jina_embeddings_v3; files have other names, and q, k and v in one.
 */
export function rotaryEncoderSpec(of: RotaryEncoder): EncoderLayersSpec {
  const norm = (module: string): NormSpec => ({ kind: "layer", module, bias: true, epsilon: of.epsilon });
  const layer = (index: number): LayerSpec => {
    const name = `layers.${index}`;
    const linear = (bias: boolean, ...modules: string[]) => ({
      modules: modules.map((module) => `${name}.${module}`),
      bias,
    });
    const { attention, up, down } = of.biases;
    return {
      name,
      residual: "post",
      norms: {
        attention: norm(`${name}.post_attention_layernorm`),
        mlp: norm(`${name}.post_mlp_layernorm`),
      },
      attention: {
        ...{ heads: of.heads, kvHeads: of.heads, headDim: of.hidden / of.heads },
        qkv: linear(attention, "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
        output: linear(attention, "self_attn.o_proj"),
        rope: "rope",
      },
      mlp:
        of.mlp === "gated"
          ? {
              ...{ kind: "gated", inner: of.inner, activation: of.activation },
              gateUp: linear(up, "mlp.gate_proj", "mlp.up_proj"),
              down: linear(down, "mlp.down_proj"),
            }
          : {
              ...{ kind: "plain", inner: of.inner, activation: of.activation },
              up: linear(up, "mlp.fc1"),
              down: linear(down, "mlp.fc2"),
            },
    };
  };
  return {
    hidden: of.hidden,
    contextLength: of.contextLength,
    embedding: {
      tokens: "embeddings.word_embeddings",
      ...(of.segments && { segments: "embeddings.token_type_embeddings" }),
      norm: norm("embeddings.LayerNorm"),
    },
    ropes: { rope: of.rope },
    layers: Array.from({ length: of.layers }, (_, index) => layer(index)),
    sees: "both",
  };
}

/** What files have in one module: self_attn.qkv_proj and, up first, mlp.up_gate_proj. */
export function rotaryParts({ layers, hidden }: EncoderLayersSpec): Record<string, Part> {
  const stacked = (module: string, names: string[], rows: number): Record<string, Part> =>
    stackedParts(module, Object.fromEntries(names.map((name) => [name, rows])));
  return Object.assign(
    {},
    ...layers.flatMap(({ name, mlp }) => {
      const qkv = ["q_proj", "k_proj", "v_proj"].map((part) => `${name}.self_attn.${part}`);
      const upGate = [`${name}.mlp.up_proj`, `${name}.mlp.gate_proj`];
      return [
        stacked(`${name}.self_attn.qkv_proj`, qkv, hidden),
        mlp.kind === "gated" ? stacked(`${name}.mlp.up_gate_proj`, upGate, mlp.inner) : {},
      ];
    }),
  );
}
