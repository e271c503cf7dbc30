import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import { type Activation, activate } from "./activation.js";
import { headLinear, type Pooler, pooled } from "./classifier-head.js";
import type { Table } from "./embedding.js";
import { product, storeLinear } from "./linear.js";
import { selectRows } from "./lm-head.js";
import { type StoredMatrix, storeVector } from "./matrix.js";
import { layerNorm } from "./norm.js";

/** Modules of a head that judges every token. */
export interface TokenHead {
  pooler?: Pooler;
  scores: string;
}

/** logits [batch, sequence, width] of every token of x [batch, sequence, hidden]. */
export function tokenHead(
  g: GraphBuilder,
  x: Value,
  { pooler, scores: module }: TokenHead,
  width: number,
  ctx: BuildContext,
): Value {
  const at = g.at("token_classifier");
  const read = pooler ? pooled(at, x, pooler, ctx) : x;
  const scores = headLinear(at, "scores", read, { module }, ctx);
  const logits = at.node("Identity", [scores], {}, "logits");
  g.output(logits, "float32", ["batch_size", "sequence_length", width]);
  return logits;
}

/** Modules of a head that says which tokens may stand at a place. */
export interface MaskedLmHead {
  /** A layer before the tokens, with its activation, and the norm behind that. */
  transform?: {
    dense: string;
    /** The layer has a bias; by default it has. */
    biased?: boolean;
    activation: Activation;
    norm?: { module: string; bias?: boolean; epsilon: number };
  };
  /** Tensor of the output matrix, or the table of tokens where the two are one. */
  decoder: { tensor: string } | { tied: Table };
  /** Module of a further matrix, [in, out], for the inputs behind those that the decoder has columns for. */
  rest?: string;
  /** Tensor of the bias. */
  bias?: string;
}

/**
 * logits [n, vocabulary] of x [batch, sequence, hidden], of the places that the input logits_indices [n] chooses out of
 * batch · sequence: a whole vocabulary for every token would be more numbers than all of the rest.
 *
 *   x → Gather(logits_indices) → linear → act → LayerNorm → product(decoder) → logits
 */
export function maskedLmHead(
  g: GraphBuilder,
  x: Value,
  { transform, decoder, rest, bias }: MaskedLmHead,
  hidden: number,
  ctx: BuildContext,
): { logits: Value; vocabulary: number } {
  const at = g.at("masked_lm");
  const indices = g.input("logits_indices", "int64", ["logits_count"]);
  let y = selectRows(at.at("select"), x, hidden, indices);
  if (transform) {
    const { dense, biased, activation, norm } = transform;
    y = activate(at, headLinear(at, "transform", y, { module: dense, biased }, ctx), activation);
    if (norm) {
      const { module, bias: biased = true, epsilon } = norm;
      const names = { weight: `${module}.weight`, ...(biased && { bias: `${module}.bias` }), epsilon };
      y = layerNorm(at, "norm", y, names, ctx);
    }
  }
  const matrix =
    "tied" in decoder
      ? decoder.tied
      : storeLinear(at, "decoder", { role: "lm_head", tensors: [decoder.tensor] }, ctx).matrix;
  const added = bias === undefined ? undefined : storeVector(g, `${at.scope("decoder")}.bias`, [bias], ctx);
  let logits: Value;
  if (rest === undefined) {
    logits = product(at.at("decoder"), y, matrix, { bias: added, as: "logits", compute: ctx.compute });
  } else {
    const columns = at.constant("int64", [2], [matrix.columns, hidden - matrix.columns]);
    const [first, second] = at.nodes("Split", [y, columns], { axis: -1 }, [undefined, undefined]);
    const own = product(at.at("decoder"), first, matrix, { bias: added, compute: ctx.compute });
    const other = storeLinear(at, "rest", { role: "classifier", tensors: [`${rest}.weight`] }, ctx).matrix;
    const more = at.node("MatMul", [second, (other as Extract<StoredMatrix, { weight: Value }>).weight]);
    logits = at.node("Add", [own, more], {}, "logits");
  }
  g.output(logits, "float32", ["logits_count", matrix.rows]);
  return { logits, vocabulary: matrix.rows };
}
