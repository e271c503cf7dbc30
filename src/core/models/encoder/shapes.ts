import type { Shapes } from "../shapes.js";
import type { EncoderSpec } from "./spec.js";

/** The shapes that a spec gives the weights of its encoder, heads aside. */
export function encoderShapes(spec: EncoderSpec): Shapes {
  const { hidden, inner, embeddings } = spec;
  const size = embeddings.size ?? hidden;
  const { word, type, position, constant = [], norm, projection } = embeddings;
  const shapes: Shapes = {};
  for (const table of [word, type, position]) if (table) shapes[table] = [undefined, size];
  for (const table of constant) shapes[table] = [undefined, size];
  if (norm) shapes[norm] = [size];
  if (projection) shapes[projection] = [hidden, size];
  for (const layer of spec.layers) {
    for (const module of [layer.query, layer.key, layer.value, layer.attentionOutput])
      shapes[module] = [hidden, hidden];
    shapes[layer.up] = [inner, hidden];
    shapes[layer.down] = [hidden, inner];
    for (const module of [layer.attentionNorm, layer.mlpNorm]) shapes[module] = [hidden];
  }
  if (spec.finalNorm) shapes[spec.finalNorm] = [hidden];
  return shapes;
}
