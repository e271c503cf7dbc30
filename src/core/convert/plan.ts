import { chooseDtype, type DtypeChoice, matrixFormat } from "../dtype.js";
import { GraphBuilder } from "../graph/builder.js";
import { checkShapes } from "../models/shapes.js";
import type { GraphInfo } from "../models/types.js";
import type { Dtype } from "../requests.js";
import type { QuantizedCheckpoint } from "../weights/quantized/types.js";
import type { WeightFile } from "../weights/types.js";
import { type ConversionSource, readModel } from "./source.js";

type Model = Awaited<ReturnType<typeof readModel>>;

/** What a model becomes, before anything of it is computed. */
export interface GraphPlan extends Model {
  choice: DtypeChoice;
  /** Of the file's tensors. */
  parameters: number;
  /**
   * The graph and its weights' streams. The same source gives the same ones every time: that is what lets threads share
   * the work by its numbers, and a conversion go on where another one was stopped.
   */
  build(): { g: GraphBuilder; info: GraphInfo; prefill: GraphBuilder | undefined };
}

/** Reads what a model is and picks its number format; `auto` depends on the weights. */
export async function planGraph(
  source: ConversionSource,
  opened: WeightFile,
  dtype: Dtype,
): Promise<GraphPlan> {
  const model = await readModel(source, opened);
  const { architecture, config, weights, kind, file } = model;
  const format = kind === "encoder" ? kind : "decoder";
  const parameters = countParameters(file);
  const choice = chooseDtype(dtype, {
    kind,
    parameters,
    matrixDtypes: matrixDtypes(file),
    blockBits: blockBits(file),
  });
  return {
    ...model,
    choice,
    parameters,
    build() {
      const g = new GraphBuilder();
      const settings = architecture.parseConfig(config);
      checkShapes(weights, architecture.shapes(settings), source.weights);
      const context = { weights, format: matrixFormat(choice.dtype, format) };
      // A batch of texts has so many tokens that turning the matrices into floats costs nothing beside the products.
      const compute = kind === "encoder" ? "floats" : "blocks";
      const info = architecture.build(g, settings, { ...context, compute });
      const prefill = kind === "decoder" && choice.dtype === "int8" ? new GraphBuilder() : undefined;
      // It declares the same weights in the same order, so their places in the file are the same.
      if (prefill) architecture.build(prefill, settings, { ...context, compute: "floats" });
      return { g, info, prefill };
    },
  };
}

function countParameters(file: WeightFile): number {
  let sum = 0;
  for (const { shape } of file.tensors.values()) sum += shape.reduce((product, n) => product * n, 1);
  return sum;
}

/** Number formats of the two-dimensional tensors, embedding tables aside. */
function matrixDtypes(file: WeightFile): Set<string> {
  const dtypes = new Set<string>();
  for (const { name, shape, dtype } of file.tensors.values()) {
    if (shape.length === 2 && !/embd|output\.weight$|embed/.test(name)) dtypes.add(dtype);
  }
  return dtypes;
}

/** Bits of the blocks that all quantized matrices of the file have. */
function blockBits(file: WeightFile | QuantizedCheckpoint): 4 | 8 | undefined {
  if (!("blocks" in file) || file.blocks.size < file.matrices.size) return undefined;
  const bits = new Set([...file.blocks.values()].map((layout) => layout.bits));
  return bits.size === 1 ? [...bits][0] : undefined;
}
