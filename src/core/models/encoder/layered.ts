import { buildHiddenStates } from "../decoder/hidden-states.js";
import { layersShapes } from "../decoder/shapes.js";
import type { EncoderLayersSpec } from "../decoder/spec.js";
import type { Architecture } from "../types.js";
import {
  buildHead,
  type HeadModules,
  type HeadSpec,
  hasHead,
  headShapes,
  headTasks,
  readHead,
} from "./heads.js";

/** An encoder out of layers as decoders have them, and the head that its configuration names. */
export interface LayeredModel {
  spec: EncoderLayersSpec;
  head?: HeadSpec;
}

/**
 * An architecture of an encoder whose layers are more like a decoder's than like bert's: rotated, gated, normed before.
 * `read` gives its layers, `heads` names the modules of its heads. Throws what `read` throws.
 */
export function layeredEncoder({
  read,
  heads,
  parts,
  ...model
}: Pick<Architecture, "modelType" | "prefixes" | "rename"> & {
  read(config: Record<string, unknown>): EncoderLayersSpec;
  heads(config: Record<string, unknown>): HeadModules;
  parts?(spec: EncoderLayersSpec): ReturnType<NonNullable<Architecture["parts"]>>;
}): Architecture<LayeredModel> {
  return {
    ...model,
    tasks: ["feature-extraction", "sentence-similarity"],
    headTasks(raw, weights) {
      const modules = heads(raw);
      const head = weights && readHead(raw, modules);
      return head && !hasHead(head, weights) ? [] : headTasks(raw, modules);
    },
    parseConfig: (raw) => ({ spec: read(raw), head: readHead(raw, heads(raw)) }),
    ...(parts && { parts: ({ spec }) => parts(spec) }),
    shapes: ({ spec, head }) => ({ ...layersShapes(spec), ...headShapes(head, spec.hidden) }),
    build(g, { spec, head }, ctx) {
      const { x, word, segments, contextLength } = buildHiddenStates(g, spec, ctx);
      const built = buildHead(g, x, head, { hidden: spec.hidden, word, segments }, ctx);
      return {
        kind: "encoder",
        hiddenSize: spec.hidden,
        vocabularySize: word.rows,
        contextLength,
        ...built,
      };
    },
  };
}
