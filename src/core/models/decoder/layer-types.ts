import { z } from "zod";
import { HfmsError } from "../../errors.js";
import type { Rope } from "../../graph/blocks/rope.js";
import { readRope } from "../../graph/blocks/rope-config.js";
import { count } from "../config.js";
import type { DecoderSpec, LayerSpec } from "./spec.js";

/** What layers see: all before a token, or a window of it. */
export type LayerType = "full_attention" | "sliding_attention";

/** config.json's fields of models that have windows in some layers. */
export const layerFields = {
  layer_types: z.array(z.enum(["full_attention", "sliding_attention"])).nullish(),
  sliding_window: count.nullish(),
};

/** The layers' types as the file lists them, or by the rule that older files leave to the model. */
export function layerTypesOf(
  config: { layer_types?: LayerType[] | null; num_hidden_layers: number },
  isFull: (index: number) => boolean,
): LayerType[] {
  const { layer_types: listed, num_hidden_layers: layers } = config;
  if (listed && listed.length !== layers) {
    throw new HfmsError(
      "corrupt_file",
      `config.json: layer_types names ${listed.length} layers, num_hidden_layers says ${layers}`,
      { param: "layer_types" },
    );
  }
  const rule = (index: number): LayerType => (isFull(index) ? "full_attention" : "sliding_attention");
  return listed ?? Array.from({ length: layers }, (_, index) => rule(index));
}

/** Gives the sliding ones of a spec's layers their window, and lets `change` do more with each layer. */
export function setLayerTypes(
  spec: DecoderSpec,
  types: readonly LayerType[],
  window: number | null | undefined,
  change: (layer: LayerSpec, type: LayerType) => void = () => {},
): void {
  for (const [index, layer] of spec.layers.entries()) {
    const type = types[index];
    if (type === "sliding_attention") layer.attention.window = window ?? undefined;
    change(layer, type);
  }
}

/** config.json's fields of Qwen's windows. */
export const qwenWindowFields = {
  ...layerFields,
  use_sliding_window: z.boolean().default(false),
  max_window_layers: z.int().nonnegative().default(28),
};

/** Qwen's layers have windows from a layer on, where they are used at all. */
export function setQwenWindows(
  spec: DecoderSpec,
  config: {
    layer_types?: LayerType[] | null;
    sliding_window?: number | null;
    use_sliding_window: boolean;
    max_window_layers: number;
    num_hidden_layers: number;
  },
): void {
  const { use_sliding_window: used, sliding_window: window, max_window_layers: first } = config;
  if (!used || !window) return;
  setLayerTypes(
    spec,
    layerTypesOf(config, (index) => index < first),
    window,
  );
}

/** config.json's name of a rotation's base in files older than `rope_parameters`, and its default. */
interface RopeBase {
  field: string;
  theta: number;
}

/**
 * The rotations of models that have another one for layers with a window. Old files have a base for each, and scaling
 * concerns layers that see everything; new ones have parameters by layer type.
 */
export function readRopes(
  raw: Record<string, unknown>,
  headDim: number,
  { full, sliding }: { full: RopeBase; sliding: RopeBase },
): Record<LayerType, Rope> {
  const nested = raw.rope_parameters as Record<string, unknown> | null | undefined;
  const { max_position_embeddings } = raw;
  const own = {
    max_position_embeddings,
    rope_theta: raw[sliding.field],
    rope_parameters: nested?.sliding_attention,
  };
  return {
    full_attention: readRope({ ...raw, rope_theta: raw[full.field] }, headDim, {
      theta: full.theta,
      layerType: "full_attention",
    }),
    sliding_attention: readRope(own, headDim, { theta: sliding.theta }),
  };
}

/** Gives every layer the rotation of its type, which has the type's name. */
export function setRopes(
  spec: DecoderSpec,
  types: readonly LayerType[],
  ropes: Partial<Record<LayerType, Rope>>,
): void {
  for (const [index, { attention }] of spec.layers.entries())
    attention.rope = ropes[types[index]] && types[index];
  const used = Object.entries(ropes).filter(([type]) => types.includes(type as LayerType));
  spec.ropes = Object.fromEntries(used);
}
