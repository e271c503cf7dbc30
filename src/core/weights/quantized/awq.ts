import type { WeightFile } from "../types.js";
import { type GroupedIntegers, readGroupedFloats } from "./grouped-integers.js";
import {
  columnsOf,
  floatDtypes,
  groupSizeOf,
  middleOf,
  modulesWith,
  PartReader,
  partOf,
  wrongGroups,
} from "./parts.js";
import type { QuantizedMatrix } from "./types.js";

/** Bits by which output k of a word of eight is shifted: a word holds outputs 0, 2, 4, 6, 1, 3, 5, 7, the lowest bits first. */
const shifts = [0, 16, 4, 20, 8, 24, 12, 28] as const;

/** Inputs that are unpacked together. */
const TILE = 128;

/**
 * AWQ's GEMM version as AutoAWQ writes it, 4 bits, for a linear layer of [out, in]: qweight int32 [in, out / 8], qzeros int32
 * [groups, out / 8], scales [groups, out].
 */
export async function awqMatrices(
  file: WeightFile,
  source: string,
  options: { groupSize: number },
): Promise<Map<string, QuantizedMatrix>> {
  const matrices = new Map<string, QuantizedMatrix>();
  const reader = new PartReader(file);
  for (const module of modulesWith(file, "qweight")) {
    const part = (name: string, expected: Parameters<typeof partOf>[3]) =>
      partOf(file, source, `${module}.${name}`, expected);
    const qweight = part("qweight", { dtypes: ["I32"], shape: [undefined, undefined] });
    const [columns, words] = qweight.shape;
    const rows = words * 8;
    const scales = part("scales", { dtypes: floatDtypes, shape: [undefined, rows] });
    const [groups] = scales.shape;
    const qzeros = part("qzeros", { dtypes: ["I32"], shape: [groups, words] });
    const groupSize = groupSizeOf(columns, groups, options.groupSize);
    if (groupSize === undefined) throw wrongGroups(source, scales.name, groups, columns);
    const zeroPoints = () =>
      reader.last(qzeros.name, async () => {
        const packed = await reader.readWords(qzeros.name);
        return Uint8Array.from({ length: groups * rows }, (_, i) => (packed[i >> 3] >>> shifts[i & 7]) & 15);
      });
    const integers: GroupedIntegers = {
      ...{ rows, columns, bits: 4, groupSize },
      zeroPoints: (await zeroPoints()).some((zero) => zero !== middleOf(4)),
      async read(first, count) {
        const packed = await reader.last(qweight.name, () => reader.readWords(qweight.name));
        const codes = new Uint8Array(count * columns);
        // A tile's words stand in few lines of the processor's cache, and so do the codes that they become.
        for (let start = 0; start < columns; start += TILE) {
          const end = Math.min(start + TILE, columns);
          for (let row = 0; row < count; row++) {
            const [word, shift] = [(first + row) >> 3, shifts[(first + row) & 7]];
            const to = row * columns;
            for (let column = start; column < end; column++) {
              codes[to + column] = (packed[column * words + word] >>> shift) & 15;
            }
          }
        }
        const factors = await reader.last(scales.name, () => file.readFloat32(scales.name));
        return {
          codes,
          scales: columnsOf(factors, rows, first, count),
          zeros: columnsOf(await zeroPoints(), rows, first, count),
        };
      },
    };
    matrices.set(module, {
      shape: [rows, columns],
      parts: [qweight.name, scales.name, qzeros.name],
      integers,
      readFloat32: (first, count) => readGroupedFloats(integers, first, count),
    });
  }
  return matrices;
}
