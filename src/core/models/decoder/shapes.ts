import type { Shapes } from "../shapes.js";
import type { AttentionSpec, DecoderSpec, LayerSpec, LayersSpec, LinearSpec, NormSpec } from "./spec.js";

/** The shapes that a spec gives its modules' weights. */
export function decoderShapes(spec: DecoderSpec): Shapes {
  const { hidden, embedding, head } = spec;
  const width = embedding.size ?? hidden;
  return {
    ...layersShapes(spec),
    ...(head.projection && { [head.projection]: [width, hidden] }),
    [head.module]: [undefined, head.projection ? width : hidden],
  };
}

/** Those of its layers and of what stands before them. */
export function layersShapes({ hidden, embedding, layers, norm }: LayersSpec): Shapes {
  const width = embedding.size ?? hidden;
  const { positions, segments, projection } = embedding;
  return {
    [embedding.tokens]: [undefined, width],
    ...(projection && { [projection]: [hidden, width] }),
    ...(positions && "module" in positions && { [positions.module]: [undefined, hidden] }),
    ...(segments && { [segments]: [undefined, hidden] }),
    ...normShapes(hidden, embedding.norm, norm),
    ...Object.assign({}, ...layers.map((layer) => layerShapes(layer, hidden))),
  };
}

function layerShapes({ attention, mlp, norms }: LayerSpec, hidden: number): Shapes {
  const { heads, kvHeads, headDim, qkv, output, innerNorm } = attention;
  const [q, kv] = [heads * headDim, kvHeads * headDim];
  return {
    ...normShapes(hidden, norms.attention, norms.attentionOutput, norms.mlp, norms.mlpOutput),
    ...rows(qkv, [q, kv, kv], hidden),
    ...rows(output, [hidden], q),
    ...normShapes(q, innerNorm),
    ...headNormShapes(attention),
    ...(mlp.kind === "gated" && rows(mlp.gateUp, [mlp.inner, mlp.inner], hidden)),
    ...(mlp.kind === "plain" && rows(mlp.up, [mlp.inner], hidden)),
    ...(mlp.kind === "own" ? mlp.shapes : rows(mlp.down, [hidden], mlp.inner)),
  };
}

/** Modules side by side, or one that has the rows of all. */
function rows({ modules }: LinearSpec, sizes: number[], columns: number): Shapes {
  if (modules.length === 1) return { [modules[0]]: [sizes.reduce((sum, n) => sum + n, 0), columns] };
  return Object.fromEntries(modules.map((module, i) => [module, [sizes[i], columns]]));
}

function normShapes(size: number, ...norms: (NormSpec | undefined)[]): Shapes {
  const named = norms.filter((norm) => norm !== undefined && !norm.bare) as NormSpec[];
  return Object.fromEntries(named.map(({ module }) => [module, [size]]));
}

/** A norm has weights for a head, for all of a projection, or for each head: in one module, or in one of its own. */
function headNormShapes({ norms, heads, kvHeads, headDim }: AttentionSpec): Shapes {
  const shapes: Shapes = {};
  for (const [tensors = [], count] of [
    [norms?.query, heads],
    [norms?.key, kvHeads],
  ] as const) {
    for (const tensor of tensors) {
      const each = norms?.over === "head" || tensors.length > 1;
      const shape = each ? [headDim] : norms?.over === "width" ? [count * headDim] : [count, headDim];
      shapes[tensor.replace(/\.weight$/, "")] = shape;
    }
  }
  return shapes;
}
