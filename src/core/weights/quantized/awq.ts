import type { WeightFile } from "../types.js";
import { type GroupedIntegers, readGroupedFloats } from "./grouped-integers.js";
import {
  asWords,
  columnsOf,
  floatDtypes,
  groupSizeOf,
  modulesWith,
  PartReader,
  partOf,
  wrongGroups,
} from "./parts.js";
import type { QuantizedMatrix } from "./types.js";

/** Bits by which output k of a word of eight is shifted: a word holds outputs 0, 2, 4, 6, 1, 3, 5, 7, the lowest bits first. */
const shifts = [0, 16, 4, 20, 8, 24, 12, 28] as const;

/**
 * AWQ's GEMM version as AutoAWQ writes it, 4 bits, for a linear layer of [out, in]: qweight int32 [in, out / 8], qzeros int32
 * [groups, out / 8], scales [groups, out].
 */
export async function awqMatrices(
  file: WeightFile,
  source: string,
  { groupSize: said }: { groupSize: number },
): Promise<Map<string, QuantizedMatrix>> {
  const matrices = new Map<string, QuantizedMatrix>();
  const reader = new PartReader(file);
  for (const module of modulesWith(file, "qweight")) {
    const part = (name: string, options: Parameters<typeof partOf>[3]) =>
      partOf(file, source, `${module}.${name}`, options);
    const qweight = part("qweight", { dtypes: ["I32"], shape: [undefined, undefined] });
    const [columns, wordsPerRow] = qweight.shape;
    const rows = wordsPerRow * 8;
    const scales = part("scales", { dtypes: floatDtypes, shape: [undefined, rows] });
    const groups = scales.shape[0];
    const qzeros = part("qzeros", { dtypes: ["I32"], shape: [groups, wordsPerRow] });
    const groupSize = groupSizeOf(columns, groups, said);
    if (groupSize === undefined) throw wrongGroups(source, scales.name, groups, columns);
    const zeroWords = asWords(await file.readBytes(qzeros.name));
    const zeros = new Uint8Array(groups * rows);
    for (let i = 0; i < zeros.length; i++) zeros[i] = (zeroWords[i >> 3] >>> shifts[i & 7]) & 15;
    const integers: GroupedIntegers = {
      rows,
      columns,
      bits: 4,
      groupSize,
      zeroPoints: zeros.some((zero) => zero !== 8),
      async read(first, count) {
        const packed = await reader.words(qweight.name);
        const codes = new Uint8Array(count * columns);
        for (let column = 0; column < columns; column++) {
          for (let row = 0; row < count; row++) {
            const output = first + row;
            const word = packed[column * wordsPerRow + (output >> 3)];
            codes[row * columns + column] = (word >>> shifts[output & 7]) & 15;
          }
        }
        const all = await reader.floats(scales.name);
        return {
          codes,
          scales: columnsOf(all, rows, first, count),
          zeros: columnsOf(zeros, rows, first, count),
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
