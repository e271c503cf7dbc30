import { embedding, storeTableOf, type Table } from "../../graph/blocks/embedding.js";
import { storeTable } from "../../graph/blocks/matrix.js";
import { project } from "../../graph/blocks/mlp.js";
import { norm } from "../../graph/blocks/norm.js";
import type { GraphBuilder, Value } from "../../graph/builder.js";
import type { BuildContext } from "../../graph/model-weights.js";
import { type LayersSpec, normOf } from "./spec.js";

export interface Embedded {
  /** [batch, sequence, hidden]. */
  x: Value;
  /** Of tokens. */
  table: Table;
  /** Rows of the table of segments; 0 where there is none. */
  segments: number;
  /** The graph takes position_ids. */
  positionIds: boolean;
  /** As the configuration says, or as far as the table of positions goes. */
  contextLength: number;
}

/** Tokens, and positions and segments where they are added to them. */
export function embed(
  g: GraphBuilder,
  spec: LayersSpec,
  inputs: { inputIds: Value; positionIds?: Value; tokenTypeIds?: Value },
  ctx: BuildContext,
): Embedded {
  const { tokens, positions, segments, scale, projection, norm: normed } = spec.embedding;
  let { contextLength } = spec;
  const positionIds =
    positions && (inputs.positionIds ?? g.input("position_ids", "int64", ["batch_size", "sequence_length"]));
  const table = storeTableOf(g, tokens, `${tokens}.weight`, ctx);
  let x = embedding(g, tokens, inputs.inputIds, table);
  if (scale !== undefined && scale !== 1) x = g.node("Mul", [x, g.constant("float32", [], [scale])]);
  if (projection) {
    const into = { role: "attention_output" as const, tensors: [`${projection}.weight`] };
    x = project(g, projection, x, into, ctx).y;
  }
  if (positions && positionIds) {
    let rows: Value;
    if ("module" in positions) {
      const { module, offset = 0 } = positions;
      const learned = storeTableOf(g, module, `${module}.weight`, ctx, "position");
      contextLength = Math.min(contextLength, learned.rows - offset);
      const first = g.constant("int64", [], [offset]);
      const ids = offset > 0 ? g.node("Add", [positionIds, first]) : positionIds;
      rows = embedding(g, module, ids, learned);
    } else {
      const computed = storeTable(g, g.scope("positions.weight"), [contextLength, spec.hidden], () =>
        positions.rows(contextLength, spec.hidden),
      );
      rows = g.at("positions").node("Gather", [computed, positionIds], { axis: 0 });
    }
    x = g.node("Add", [x, rows]);
  }
  const types = segments && storeTableOf(g, segments, `${segments}.weight`, ctx, "position");
  if (types) {
    const ids = types.rows > 1 ? inputs.tokenTypeIds : g.constant("int64", [], [0]);
    x = g.node("Add", [x, embedding(g, segments, ids as Value, types)]);
  }
  if (normed) x = norm(g, normed.module, x, normOf(normed, spec.hidden), ctx);
  const count = types ? types.rows : 0;
  return { x, table, segments: count, positionIds: positions !== undefined, contextLength };
}
