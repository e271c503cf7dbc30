import { HfmsError } from "../errors.js";
import type { ModelWeights } from "../graph/model-weights.js";
import { blockConversion } from "../weights/block-conversions.js";
import type { QuantizedCheckpoint } from "../weights/quantized/types.js";
import type { WeightFile } from "../weights/types.js";
import type { Architecture } from "./types.js";

/** Where a model for several kinds of input keeps its language model. */
const LANGUAGE_MODEL = /^(model\.)?(language_model|text_model)\./;

/** A checkpoint's tensors under PyTorch's names (prefix cut), matrices [out, in]. */
export function checkpointWeights(
  file: WeightFile | QuantizedCheckpoint,
  architecture: Architecture,
  source: string,
): ModelWeights {
  const names = new Map<string, string>();
  for (const stored of file.tensors.keys()) {
    const inner = stored.replace(LANGUAGE_MODEL, "");
    const prefix = architecture.prefixes.find((candidate) => inner.startsWith(candidate)) ?? "";
    const cut = inner.slice(prefix.length);
    names.set(architecture.rename?.(cut) ?? cut, stored);
  }
  const { conv1d } = architecture;
  const quantized = "blocks" in file ? file : undefined;
  return weightsBy(file, names, source, {
    // Quantized matrices are [out, in], whatever class they were.
    transposed: conv1d && ((name) => conv1d(name) && !quantized?.matrices.has(names.get(name) ?? "")),
    quantized,
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
  /** The file, where it may have blocks of its own. */
  quantized?: QuantizedCheckpoint;
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
  const { quantized } = layouts;
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
      const first = firstRow ?? 0;
      const count = rows ?? tensor.shape[0] - first;
      const columns = tensor.shape[1] ?? 1;
      return inModelOrder(layouts.headDim?.(name), first, count, columns, (from, n) =>
        file.readFloat32(tensor.name, from, n),
      );
    },
    storedBlocks(name) {
      const tensor = info(name);
      const own = quantized?.blocks.get(tensor.name);
      // Blocks of four bits as MatMulNBits has them: eight would only be longer.
      const kept = tensor.dtype === "Q4_0" && !layouts.transposed?.(name);
      return own ?? (kept ? { bits: 4, blockSize: 32 } : undefined);
    },
    async readBlocks(name, first, count, format) {
      const { bits, blockSize } = format;
      const tensor = info(name);
      if (quantized?.matrices.has(tensor.name))
        return quantized.readBlocks(tensor.name, first, count, format);
      const convert = blockSize === 32 ? blockConversion(tensor.dtype, bits) : undefined;
      const [rows, columns] = tensor.shape;
      if (!convert || layouts.transposed?.(name) || columns % blockSize !== 0) return undefined;
      const stored = await inModelOrder(
        layouts.headDim?.(name),
        first,
        count,
        tensor.byteLength / rows,
        (from, n) => file.readBytes(tensor.name, from, n),
      );
      return convert(stored, count, columns);
    },
  };
}

/**
 * Rows [first, first + count) in PyTorch's order. llama.cpp's converter interleaves the two halves of each head's rows:
 * stored row 2j + s of a head is PyTorch's row s · headDim/2 + j. `length` is what a row takes in the array.
 */
async function inModelOrder<A extends Float32Array | Uint8Array>(
  headDim: number | undefined,
  first: number,
  count: number,
  length: number,
  read: (first: number, count: number) => Promise<A>,
): Promise<A> {
  if (headDim === undefined) return read(first, count);
  const start = Math.floor(first / headDim) * headDim;
  const end = Math.ceil((first + count) / headDim) * headDim;
  const stored = await read(start, end - start);
  const result = stored.slice(0, count * length) as A;
  const half = headDim / 2;
  for (let i = 0; i < count; i++) {
    const row = first + i - start;
    const within = row % headDim;
    const from = row - within + (within < half ? 2 * within : 2 * (within - half) + 1);
    result.set(stored.subarray(from * length, (from + 1) * length), i * length);
  }
  return result;
}

function transpose(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let r = 0; r < rows; r++)
    for (let c = 0; c < columns; c++) result[c * rows + r] = values[r * columns + c];
  return result;
}
