import type { GraphBuilder, Value } from "../builder.js";

/** Names of `hidden_act` in config.json. Source: transformers, activations.py. gelu_new and kin are the tanh approximation. */
export const activations = {
  gelu: "Gelu",
  gelu_python: "Gelu",
  gelu_new: "FastGelu",
  gelu_pytorch_tanh: "FastGelu",
  gelu_fast: "FastGelu",
  gelu_accurate: "FastGelu",
  quick_gelu: "QuickGelu",
  relu: "Relu",
  relu2: "Relu2",
  silu: "Silu",
  swish: "Silu",
  tanh: "Tanh",
} as const;

export type Activation = keyof typeof activations;

/** For a schema: `z.enum(activationNames)`. */
export const activationNames = Object.keys(activations) as [Activation, ...Activation[]];

/** act(x) for x [...]. */
export function activate(g: GraphBuilder, x: Value, activation: Activation): Value {
  const op = activations[activation];
  switch (op) {
    // a · sigmoid(α · a)
    case "Silu":
      return g.node("QuickGelu", [x], { alpha: { float: 1 } });
    case "QuickGelu":
      return g.node("QuickGelu", [x], { alpha: { float: 1.702 } });
    case "Relu2": {
      const positive = g.node("Relu", [x]);
      return g.node("Mul", [positive, positive]);
    }
    default:
      return g.node(op, [x]);
  }
}

/** act(x + bias), in one operator where there is one. */
export function biasedActivate(
  g: GraphBuilder,
  x: Value,
  bias: Value | undefined,
  activation: Activation,
): Value {
  if (!bias) return activate(g, x, activation);
  const op = activations[activation];
  if (op === "Gelu") return g.node("BiasGelu", [x, bias]);
  if (op === "FastGelu") return g.node("FastGelu", [x, bias]);
  return activate(g, g.node("Add", [x, bias]), activation);
}
