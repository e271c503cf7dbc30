import type { Table } from "../../graph/blocks/embedding.js";
import type { GraphBuilder, Value } from "../../graph/builder.js";
import type { BuildContext } from "../../graph/model-weights.js";
import type { Shapes } from "../shapes.js";
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

/** An encoder's graph so far, and what heads and the runtime must know of it. */
export interface HiddenStates {
  /** last_hidden_state, [batch, sequence, hidden]; an output already. */
  x: Value;
  hidden: number;
  /** How far each row is real, [batch]. */
  lengths: Value;
  word: Table;
  /** Rows of the table of segments; 0 where there is none. */
  segments: number;
  contextLength: number;
}

/** An encoder, and the head that its configuration names. */
export interface HeadedModel<Spec> {
  spec: Spec;
  hidden: number;
  head?: HeadSpec;
}

/**
 * An architecture of an encoder with heads: `read` gives its spec, `states` composes its graph up to last_hidden_state,
 * `heads` names the modules of its heads. Throws what `read` throws.
 */
export function encoderWithHeads<Spec>({
  read,
  hidden,
  shapes,
  states,
  heads,
  parts,
  ...model
}: Pick<Architecture, "modelType" | "prefixes" | "rename"> & {
  read(config: Record<string, unknown>): Spec;
  hidden(spec: Spec): number;
  shapes(spec: Spec): Shapes;
  states(g: GraphBuilder, spec: Spec, ctx: BuildContext): HiddenStates;
  heads(config: Record<string, unknown>): HeadModules;
  parts?(spec: Spec): ReturnType<NonNullable<Architecture["parts"]>>;
}): Architecture<HeadedModel<Spec>> {
  return {
    ...model,
    tasks: ["feature-extraction", "sentence-similarity"],
    headTasks(raw, weights) {
      const modules = heads(raw);
      const head = weights && readHead(raw, modules);
      return head && !hasHead(head, weights) ? [] : headTasks(raw, modules);
    },
    parseConfig(raw) {
      const spec = read(raw);
      return { spec, hidden: hidden(spec), head: readHead(raw, heads(raw)) };
    },
    ...(parts && { parts: ({ spec }) => parts(spec) }),
    shapes: ({ spec, hidden: size, head }) => ({ ...shapes(spec), ...headShapes(head, size) }),
    build(g, { spec, head }, ctx) {
      const { x, contextLength, ...built } = states(g, spec, ctx);
      return {
        kind: "encoder",
        hiddenSize: built.hidden,
        vocabularySize: built.word.rows,
        contextLength,
        ...buildHead(g, x, head, built, ctx),
      };
    },
  };
}
