import type { BuildContext, MatrixFormat, ModelWeights } from "../src/core/graph/model-weights.js";

export interface MemoryTensor {
  shape: number[];
  values: Float32Array;
}

/** What the blocks are built from, out of tensors in memory; every matrix gets the one format. */
export function buildContext(
  tensors: Record<string, MemoryTensor>,
  format: MatrixFormat,
  compute: BuildContext["compute"] = "blocks",
): BuildContext {
  const weights: ModelWeights = {
    has: (name) => Object.hasOwn(tensors, name),
    shape: (name) => tensors[name].shape,
    async read(name, first = 0, rows = tensors[name].shape[0] - first) {
      const columns = tensors[name].shape[1] ?? 1;
      return tensors[name].values.slice(first * columns, (first + rows) * columns);
    },
    readBlocks: async () => undefined,
  };
  return { weights, format: () => format, compute };
}

/** Numbers that look random and are the same in every run, in (-1, 1). */
export function noise(count: number, seed: number): Float32Array {
  let state = seed >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/**
 * Moves every value to the grid that a block format has for its block, so that quantizing loses nothing: 255 steps
 * around 0 at 8 bits; at 4 bits 16 with the largest magnitude at -8.
 */
export function onGrid(
  values: Float32Array,
  columns: number,
  { bits, blockSize }: { bits: 4 | 8; blockSize: number },
): Float32Array {
  const snapped = new Float32Array(values.length);
  const [lowest, highest] = bits === 8 ? [-127, 127] : [-8, 7];
  for (let row = 0; row < values.length; row += columns) {
    for (let start = row; start < row + columns; start += blockSize) {
      const block = values.subarray(start, Math.min(start + blockSize, row + columns));
      const largest = block.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
      const scale = bits === 8 ? Math.abs(largest) / 127 : -largest / 8;
      for (const [i, value] of block.entries()) {
        const step = scale === 0 ? 0 : Math.min(highest, Math.max(lowest, Math.round(value / scale)));
        snapped[start + i] = step * scale;
      }
    }
  }
  return snapped;
}
