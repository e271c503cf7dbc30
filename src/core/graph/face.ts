import type { ElementType } from "../tensor.js";
import type { GraphBuilder, Value } from "./builder.js";
import type { Dimension } from "./proto.js";

/**
 * Another face of the same graph: what architectures declare as inputs and outputs is computed from, or made into, what
 * other programs give and expect. No architecture knows of it.
 */
export interface GraphFace {
  /** What stands for an input that callers don't give; undefined: callers give it, with these dimensions. */
  input(g: GraphBuilder, name: string, type: ElementType): Value | undefined;
  dimensions(name: string, shape: readonly Dimension[]): readonly Dimension[];
  /** The name of a node's output that was to be the graph's output `name`. */
  inner(name: string): string;
  /** Declares the output that a node made under its inner name. False: it is declared as it is. */
  output(g: GraphBuilder, name: string, type: ElementType, shape: readonly Dimension[]): boolean;
}
