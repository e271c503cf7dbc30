import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import { product, storeLinear } from "./linear.js";
import type { Delta } from "./mlp.js";

/** A mixture of experts: a router gives every token to a few of many MLPs. */
export interface Experts {
  hidden: number;
  count: number;
  /** How many of them a token goes to. */
  perToken: number;
  /** Tensors of the router, [count, hidden] and [count]. */
  router: { tensor: string; bias?: string };
  /** A token's shares add up to 1. Otherwise they are what a softmax over all experts gives those that are chosen. */
  normalized: boolean;
  /** One expert's MLP: x [n, hidden] gives [n, hidden]. */
  expert(g: GraphBuilder, index: number, x: Value): Delta;
}

/**
 * x [..., hidden] gives the sum of what the chosen experts make of each token, by their shares. Only the experts that
 * a token needs are computed: each stands in a branch. ONNX Runtime's QMoE makes floats of experts for every token, which
 * takes two and a half times as long for a token at 8 bits, and more than twenty times at 4.
 *
 *   x → router → TopK → shares [experts, tokens] ─ of one ─ NonZero ─ tokens
 *   x → for each expert If(share > 0): Gather(tokens) → MLP · share → ScatterND(+) → the next
 */
export function experts(g: GraphBuilder, x: Value, of: Experts, ctx: BuildContext): Value {
  const { hidden, count } = of;
  const ints = (...list: number[]): Value => g.constant("int64", [list.length], list);
  const tokens = g.node("Reshape", [x, ints(-1, hidden)]);
  const shares = g.node("Transpose", [shareOf(g, tokens, of, ctx)], { perm: [1, 0] });
  const most = g.node("ReduceMax", [shares, ints(1)], { keepdims: 0 });
  const wanted = g.node("Greater", [most, g.constant("float32", [], [0])]);
  const each = (value: Value): Value[] =>
    g.nodes("Split", [value], { axis: 0, num_outputs: count }, new Array(count).fill(undefined));
  const [sharesOf, isWanted] = [each(shares), each(wanted)];
  let sum = g.node("ConstantOfShape", [g.node("Shape", [tokens])]);
  for (let index = 0; index < count; index++) {
    const before = sum;
    sum = g.at(`experts.${index}`).choice(
      isWanted[index],
      {
        met(at) {
          const share = at.node("Reshape", [sharesOf[index], ints(-1)]);
          const places = at.node("Transpose", [at.node("NonZero", [share])], { perm: [1, 0] });
          const { y, bias } = of.expert(at, index, at.node("GatherND", [tokens, places]));
          const made = bias ? at.node("Add", [y, bias]) : y;
          const weight = at.node("Unsqueeze", [at.node("GatherND", [share, places]), ints(1)]);
          return at.node("ScatterND", [before, places, at.node("Mul", [made, weight])], { reduction: "add" });
        },
        otherwise: (at) => at.node("Identity", [before]),
      },
      { type: "float32", shape: ["tokens", hidden] },
    );
  }
  return g.node("Reshape", [sum, g.node("Shape", [x])]);
}

/** The experts' shares of each token, [tokens, count]; 0 for those that are not chosen. */
function shareOf(
  g: GraphBuilder,
  tokens: Value,
  { router, perToken, normalized }: Experts,
  ctx: BuildContext,
): Value {
  // In float32 whatever the model is in: what is chosen wrongly can't be made good.
  const spec = {
    role: "classifier" as const,
    tensors: [router.tensor],
    bias: router.bias ? [router.bias] : undefined,
  };
  const { matrix, bias } = storeLinear(g, "router", spec, ctx);
  const logits = product(g.at("router"), tokens, matrix, { bias });
  const scores = normalized ? logits : g.node("Softmax", [logits], { axis: -1 });
  const k = g.constant("int64", [1], [perToken]);
  let [best, ids] = g.nodes("TopK", [scores, k], { axis: -1, sorted: 0 }, [undefined, undefined]);
  if (normalized) best = g.node("Softmax", [best], { axis: -1 });
  const none = g.node("ConstantOfShape", [g.node("Shape", [logits])]);
  return g.node("ScatterElements", [none, ids, best], { axis: 1 });
}
