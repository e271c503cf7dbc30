import type { Architecture } from "../types.js";
import { buildEncoder } from "./build.js";
import {
  buildHead,
  type HeadModules,
  type HeadSpec,
  hasHead,
  headShapes,
  headTasks,
  readHead,
} from "./heads.js";
import { encoderShapes } from "./shapes.js";
import type { EncoderSpec } from "./spec.js";

/** An encoder and the head that its configuration names. */
export interface EncoderModel {
  spec: EncoderSpec;
  head?: HeadSpec;
}

/**
 * An architecture whose configuration is a spec: `read` gives the encoder, `heads` names the modules of its heads. Throws
 * what `read` throws.
 */
export function encoder({
  read,
  heads,
  ...model
}: Pick<Architecture, "modelType" | "prefixes" | "rename" | "gguf"> & {
  read(config: Record<string, unknown>): EncoderSpec;
  heads(config: Record<string, unknown>): HeadModules;
}): Architecture<EncoderModel> {
  return {
    ...model,
    tasks: ["feature-extraction", "sentence-similarity"],
    headTasks(raw, weights) {
      const modules = heads(raw);
      const head = weights && readHead(raw, modules);
      return head && !hasHead(head, weights) ? [] : headTasks(raw, modules);
    },
    parseConfig: (raw) => ({ spec: read(raw), head: readHead(raw, heads(raw)) }),
    shapes: ({ spec, head }) => ({ ...encoderShapes(spec), ...headShapes(head, spec.hidden) }),
    build(g, { spec, head }, ctx) {
      const { x, word, segments, positions, inputs } = buildEncoder(g, spec, ctx);
      const built = buildHead(
        g,
        x,
        head,
        { hidden: spec.hidden, word, segments, lengths: inputs.lengths },
        ctx,
      );
      return {
        kind: "encoder",
        hiddenSize: spec.hidden,
        vocabularySize: word.rows,
        contextLength: Math.min(spec.contextLength, positions),
        ...built,
      };
    },
  };
}
