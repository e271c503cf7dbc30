import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import { product, storeLinear } from "./linear.js";

/**
 * logits [batch, labels] of x [batch, sequence, hidden], of the first token of each text. Always float32.
 *
 *   x → Slice(tokens 0 and 1) → linear(pooler) → Tanh → linear(classifier) → Gather(token 0) → logits
 *
 * The second token is company: the runtime multiplies a single row by other kernels, which round otherwise, and a text
 * alone would get other bits than among others.
 */
export function classifierHead(
  g: GraphBuilder,
  x: Value,
  labels: number,
  { pooler, classifier }: { pooler: string; classifier: string },
  ctx: BuildContext,
): Value {
  const at = g.at("classifier");
  const dense = (name: string, input: Value, module: string): Value => {
    const { matrix, bias } = storeLinear(
      at,
      name,
      { role: "classifier", tensors: [`${module}.weight`], bias: [`${module}.bias`] },
      ctx,
    );
    return product(at.at(name), input, matrix, { bias, compute: ctx.compute });
  };
  const int64 = (value: number): Value => g.constant("int64", [1], [value]);
  const first = at.node("Slice", [x, int64(0), int64(2), int64(1)]);
  const pooled = at.node("Tanh", [dense("pooler", first, pooler)]);
  const scores = dense("scores", pooled, classifier);
  const logits = at.node("Gather", [scores, g.constant("int64", [], [0])], { axis: 1 }, "logits");
  g.output(logits, "float32", ["batch_size", labels]);
  return logits;
}
