import type { WeightFile } from "../types.js";
import { type GroupedIntegers, readGroupedFloats } from "./grouped-integers.js";
import {
  asWords,
  columnsOf,
  floatDtypes,
  groupIndex,
  groupSizeOf,
  modulesWith,
  PartReader,
  partOf,
  wrongGroups,
} from "./parts.js";
import type { QuantizedMatrix } from "./types.js";

export interface GptqOptions {
  bits: 4 | 8;
  /** -1: the whole row. */
  groupSize: number;
  /** The format's first version holds each zero point less one. */
  zeroPointsLessOne: boolean;
}

/**
 * GPTQ as AutoGPTQ and GPTQModel write it, for a linear layer of [out, in]:
 * qweight int32 [in · bits / 32, out], the lowest bits first along the input; qzeros int32 [groups, out · bits / 32], along
 * the output; scales [groups, out]; g_idx int32 [in], the group of each input.
 */
export async function gptqMatrices(
  file: WeightFile,
  source: string,
  { bits, groupSize: said, zeroPointsLessOne }: GptqOptions,
): Promise<Map<string, QuantizedMatrix>> {
  const matrices = new Map<string, QuantizedMatrix>();
  const reader = new PartReader(file);
  const perWord = 32 / bits;
  const mask = 2 ** bits - 1;
  for (const module of modulesWith(file, "qweight")) {
    const part = (name: string, options: Parameters<typeof partOf>[3]) =>
      partOf(file, source, `${module}.${name}`, options);
    const qweight = part("qweight", { dtypes: ["I32"], shape: [undefined, undefined] });
    const [columns, rows] = [qweight.shape[0] * perWord, qweight.shape[1]];
    const scales = part("scales", { dtypes: floatDtypes, shape: [undefined, rows] });
    const groups = scales.shape[0];
    const qzeros = part("qzeros", { dtypes: ["I32"], shape: [groups, Math.ceil(rows / perWord)] });
    const groupSize = groupSizeOf(columns, groups, said);
    if (groupSize === undefined) throw wrongGroups(source, scales.name, groups, columns);
    const index = `${module}.g_idx`;
    const hasIndex = file.tensors.has(index);
    const groupOf = hasIndex
      ? await groupIndex(file, source, index, { columns, groups, groupSize })
      : undefined;
    const zeros = unpackZeros(asWords(await file.readBytes(qzeros.name)), { rows, groups, bits });
    if (zeroPointsLessOne) for (const [i, zero] of zeros.entries()) zeros[i] = (zero + 1) & mask;
    const integers: GroupedIntegers = {
      rows,
      columns,
      bits,
      groupSize,
      groupOf,
      zeroPoints: zeros.some((zero) => zero !== (bits === 4 ? 8 : 128)),
      async read(first, count) {
        const packed = await reader.words(qweight.name);
        const codes = new Uint8Array(count * columns);
        for (let p = 0; p < qweight.shape[0]; p++) {
          for (let row = 0; row < count; row++) {
            const word = packed[p * rows + first + row];
            const to = row * columns + p * perWord;
            for (let i = 0; i < perWord; i++) codes[to + i] = (word >>> (i * bits)) & mask;
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
      parts: [qweight.name, scales.name, qzeros.name, ...(hasIndex ? [index] : [])],
      integers,
      readFloat32: (first, count) => readGroupedFloats(integers, first, count),
    });
  }
  return matrices;
}

/** [groups, rows] */
function unpackZeros(
  words: Uint32Array,
  { rows, groups, bits }: { rows: number; groups: number; bits: 4 | 8 },
): Uint8Array {
  const perWord = 32 / bits;
  const wordsPerGroup = Math.ceil(rows / perWord);
  const zeros = new Uint8Array(groups * rows);
  for (let group = 0; group < groups; group++) {
    for (let row = 0; row < rows; row++) {
      const word = words[group * wordsPerGroup + Math.floor(row / perWord)];
      zeros[group * rows + row] = (word >>> ((row % perWord) * bits)) & (2 ** bits - 1);
    }
  }
  return zeros;
}
