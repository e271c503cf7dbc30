import { HfmsError } from "../errors.js";
import type { ModelWeights } from "../graph/model-weights.js";
import type { WeightFile } from "../weights/types.js";
import type { Architecture } from "./types.js";

/** A checkpoint's tensors under PyTorch's names (prefix cut), matrices [out, in]. */
export function checkpointWeights(
  file: WeightFile,
  architecture: Architecture,
  source: string,
): ModelWeights {
  const names = new Map<string, string>();
  for (const stored of file.tensors.keys()) {
    const prefix = architecture.prefixes.find((candidate) => stored.startsWith(candidate)) ?? "";
    const cut = stored.slice(prefix.length);
    names.set(architecture.rename?.(cut) ?? cut, stored);
  }
  const { conv1d } = architecture;
  return weightsBy(file, names, source, {
    transposed: conv1d && ((name) => conv1d(name)),
  });
}

/** A GGUF file's tensors under PyTorch's names, with the row order that PyTorch has. */
export function ggufWeights(
  file: WeightFile,
  architecture: Architecture,
  config: Record<string, unknown>,
  source: string,
): ModelWeights {
  const mapping = architecture.gguf;
  if (!mapping)
    throw new HfmsError(
      "unsupported_model",
      `${source}: GGUF files of ${architecture.modelType} are not supported`,
    );
  const names = new Map<string, string>();
  for (const stored of file.tensors.keys()) {
    const [, layer, stem, suffix] = /^(?:blk\.(\d+)\.)?(.+)\.(weight|bias)$/.exec(stored) ?? [];
    const name = stem && mapping.tensors[layer === undefined ? stem : `blk.N.${stem}`];
    if (name) names.set(`${name.replace("N", layer)}.${suffix}`, stored);
  }
  return weightsBy(file, names, source, { headDim: (name) => mapping.interleaved?.(name, config) });
}

interface Layouts {
  transposed?: (name: string) => boolean;
  /** Size of the heads whose rows are interleaved. */
  headDim?: (name: string) => number | undefined;
}

function weightsBy(
  file: WeightFile,
  names: Map<string, string>,
  source: string,
  layouts: Layouts,
): ModelWeights {
  const info = (name: string) => {
    const stored = names.get(name);
    const tensor = stored === undefined ? undefined : file.tensors.get(stored);
    if (!tensor) {
      throw new HfmsError("corrupt_file", `${source} has no tensor ${name}`, {
        hint: "the file is incomplete, or its layout is one that hfms does not know",
      });
    }
    return tensor;
  };
  // A transposed matrix is read whole; its rows are asked for one chunk after the other.
  let last: { name: string; values: Float32Array } | undefined;

  return {
    has: (name) => names.has(name),
    shape(name) {
      const { shape } = info(name);
      return layouts.transposed?.(name) ? [...shape].reverse() : shape;
    },
    async read(name, firstRow, rows) {
      const tensor = info(name);
      if (layouts.transposed?.(name)) {
        if (last?.name !== name) {
          const [inputs, outputs] = tensor.shape;
          last = { name, values: transpose(await file.readFloat32(tensor.name), inputs, outputs) };
        }
        const columns = tensor.shape[0];
        if (firstRow === undefined) return last.values;
        return last.values.slice(firstRow * columns, (firstRow + (rows ?? 0)) * columns);
      }
      const headDim = layouts.headDim?.(name);
      if (headDim === undefined) return file.readFloat32(tensor.name, firstRow, rows);
      const first = firstRow ?? 0;
      return readHalfSplit(file, tensor, headDim, first, rows ?? tensor.shape[0] - first);
    },
  };
}

/**
 * llama.cpp's converter interleaves the two halves of each head's rows: stored row 2j + s is PyTorch's row
 * s · headDim/2 + j. Reads PyTorch's rows [first, first + count).
 */
async function readHalfSplit(
  file: WeightFile,
  tensor: { name: string; shape: number[] },
  headDim: number,
  first: number,
  count: number,
): Promise<Float32Array> {
  const columns = tensor.shape[1] ?? 1;
  const start = Math.floor(first / headDim) * headDim;
  const end = Math.ceil((first + count) / headDim) * headDim;
  const stored = await file.readFloat32(tensor.name, start, end - start);
  const result = new Float32Array(count * columns);
  const half = headDim / 2;
  for (let i = 0; i < count; i++) {
    const row = first + i - start;
    const within = row % headDim;
    const from = row - within + (within < half ? 2 * within : 2 * (within - half) + 1);
    result.set(stored.subarray(from * columns, (from + 1) * columns), i * columns);
  }
  return result;
}

function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) result[c * rows + r] = values[r * columns + c];
  return result;
}
