import { HfmsError } from "../../errors.js";
import type { BlockLayout } from "../quantized-blocks.js";
import type { TensorInfo, WeightFile } from "../types.js";
import { awqMatrices } from "./awq.js";
import { integerMatrices, packedMatrices } from "./compressed-tensors.js";
import { type Quantization, readQuantization } from "./configuration.js";
import { gptqMatrices } from "./gptq.js";
import { blockLayoutOf, readGroupedBlocks } from "./grouped-integers.js";
import { mxfp4Matrices } from "./mxfp4.js";
import { scaledMatrices } from "./scaled.js";
import type { QuantizedCheckpoint, QuantizedMatrix } from "./types.js";

/**
 * A checkpoint as it is read: where config.json says that its linear layers are quantized (GPTQ, AWQ, fp8, MXFP4,
 * compressed-tensors), each of them as one matrix `<module>.weight` [out, in]. `source` names the file in messages. The
 * result needs no disposal of its own. Throws unsupported_model for other methods, corrupt_file for tensors that don't fit.
 */
export async function readCheckpoint(
  file: WeightFile,
  config: Record<string, unknown>,
  source: string,
): Promise<WeightFile | QuantizedCheckpoint> {
  const quantization = readQuantization(config);
  if (!quantization) {
    const packed = [...file.tensors.keys()].find((name) => /\.(qweight|weight_packed)$/.test(name));
    if (packed === undefined) return file;
    throw new HfmsError(
      "unsupported_model",
      `${source} holds "${packed}", but config.json has no quantization_config that says what it is`,
      { hint: "take a newer version of the model", param: "quantization_config" },
    );
  }
  const matrices = await matricesOf(file, source, quantization);
  if (matrices.size === 0) return file;
  return joined(file, matrices);
}

async function matricesOf(
  file: WeightFile,
  source: string,
  quantization: Quantization,
): Promise<Map<string, QuantizedMatrix>> {
  switch (quantization.method) {
    case "gptq":
      return gptqMatrices(file, source, quantization);
    case "awq": {
      const scaled = [...file.tensors.keys()].find((name) => name.endsWith(".act.scales"));
      if (scaled === undefined) return awqMatrices(file, source, quantization);
      throw new HfmsError(
        "unsupported_model",
        `${source} scales activations ("${scaled}"), which hfms does not`,
        {
          hint: "take the model that this one was made from, or its GPTQ or GGUF version",
        },
      );
    }
    case "fp8":
      return scaledMatrices(file, source, { ...quantization, rounded: false });
    case "mxfp4":
      return mxfp4Matrices(file, source);
    case "compressed-tensors": {
      const integers = await integerMatrices(file, source);
      const floats = scaledMatrices(
        file,
        source,
        { scale: "weight_scale", block: quantization.block, rounded: true },
        (module) => !integers.has(module) && !file.tensors.has(`${module}.weight_packed`),
      );
      return new Map([...(await packedMatrices(file, source)), ...integers, ...floats]);
    }
  }
}

/** Tensors beside the weights that say how activations and the cache were rounded: hfms computes with neither. */
const activationScales = /\.(input|output|k|v|q|activation)_(scale|zero_point|global_scale)(_inv)?$/;

function joined(file: WeightFile, matrices: ReadonlyMap<string, QuantizedMatrix>): QuantizedCheckpoint {
  const parts = new Set([...matrices.values()].flatMap((matrix) => matrix.parts));
  const tensors = new Map<string, TensorInfo>();
  for (const [name, tensor] of file.tensors) {
    if (!parts.has(name) && !activationScales.test(name)) tensors.set(name, tensor);
  }
  const byTensor = new Map<string, QuantizedMatrix>();
  const blocks = new Map<string, BlockLayout>();
  for (const [module, matrix] of matrices) {
    const name = `${module}.weight`;
    const { dtype, byteLength } = file.tensors.get(matrix.parts[0]) as TensorInfo;
    byTensor.set(name, matrix);
    tensors.set(name, { name, dtype, byteLength, shape: matrix.shape });
    const layout = matrix.integers && blockLayoutOf(matrix.integers);
    if (layout) blocks.set(name, layout);
  }
  return {
    tensors,
    metadata: file.metadata,
    matrices: new Set(byTensor.keys()),
    blocks,
    readBytes: (...args) => file.readBytes(...args),
    async readFloat32(name, firstRow, rows) {
      const matrix = byTensor.get(name);
      if (!matrix) return file.readFloat32(name, firstRow, rows);
      const first = firstRow ?? 0;
      return matrix.readFloat32(first, rows ?? matrix.shape[0] - first);
    },
    async readBlocks(name, firstRow, rows, layout) {
      const integers = byTensor.get(name)?.integers;
      const stored = blocks.get(name);
      if (!integers || !stored || !holds(layout, stored)) return undefined;
      return readGroupedBlocks(integers, firstRow, rows, layout);
    },
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  };
}

/** The same columns in the same or smaller blocks, and room for the codes and their zero points. */
function holds(layout: BlockLayout, stored: BlockLayout): boolean {
  const fits = stored.blockSize % layout.blockSize === 0 && layout.order?.join() === stored.order?.join();
  if (layout.bits === stored.bits) return fits && (layout.zeroPoints === true || !stored.zeroPoints);
  return fits && layout.bits === 8 && !layout.zeroPoints;
}
