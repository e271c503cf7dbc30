import { buildHiddenStates } from "../decoder/hidden-states.js";
import { layersShapes } from "../decoder/shapes.js";
import type { EncoderLayersSpec } from "../decoder/spec.js";
import type { Architecture } from "../types.js";
import { encoderWithHeads, type HeadedModel } from "./with-heads.js";

/** An encoder out of layers as decoders have them. */
export type LayeredModel = HeadedModel<EncoderLayersSpec>;

/**
 * An architecture of an encoder whose layers are more like a decoder's than like bert's: rotated, gated, normed before.
 * `read` gives its layers, `heads` names the modules of its heads. Throws what `read` throws.
 */
export function layeredEncoder(
  model: Pick<
    Parameters<typeof encoderWithHeads<EncoderLayersSpec>>[0],
    "modelType" | "prefixes" | "rename" | "read" | "heads" | "parts"
  >,
): Architecture<LayeredModel> {
  return encoderWithHeads<EncoderLayersSpec>({
    ...model,
    hidden: (spec) => spec.hidden,
    shapes: layersShapes,
    states: buildHiddenStates,
  });
}
