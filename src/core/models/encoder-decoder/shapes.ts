import type { Shapes } from "../shapes.js";
import type { AttentionSpec, EncoderDecoderSpec, LayerSpec, StackSpec } from "./spec.js";

/** What a spec says of the weights' shapes. */
export function encoderDecoderShapes(spec: EncoderDecoderSpec): Shapes {
  const { hidden, head, encoder, decoder } = spec;
  const shapes: Record<string, readonly (number | undefined)[]> = { [head.module]: [undefined, hidden] };
  for (const stack of [encoder, decoder]) {
    shapes[stack.table] = [undefined, hidden];
    if (stack.finalNorm) shapes[stack.finalNorm] = [hidden];
    if (stack.embeddingNorm) shapes[stack.embeddingNorm.module] = [hidden];
    const { positions, relativeBias } = stack;
    if (positions) shapes[positions.module] = [undefined, hidden];
    for (const tensor of relativeBias?.tensors ?? [])
      shapes[tensor.replace(/\.weight$/, "")] = [relativeBias?.buckets, stack.heads];
    for (const layer of stack.layers) Object.assign(shapes, layerShapes(layer, stack, spec));
  }
  return shapes;
}

function layerShapes(layer: LayerSpec, stack: StackSpec, { hidden, decoder }: EncoderDecoderSpec): Shapes {
  const { inner } = stack;
  const attention = (of: AttentionSpec, { heads, headDim }: StackSpec): Shapes => ({
    [of.query]: [heads * headDim, hidden],
    [of.key]: [heads * headDim, hidden],
    [of.value]: [heads * headDim, hidden],
    [of.output]: [hidden, heads * headDim],
    [of.norm]: [hidden],
  });
  const { up, down, norm } = layer.mlp;
  return {
    ...attention(layer.self, stack),
    ...(layer.cross && attention(layer.cross, decoder)),
    ...Object.fromEntries(up.map((module) => [module, [inner, hidden]])),
    [down]: [hidden, inner],
    [norm]: [hidden],
  };
}
