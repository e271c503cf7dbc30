import { corruptFile } from "../tensor-file.js";
import type { WeightFile } from "../types.js";
import { type GroupedIntegers, readGroupedFloats } from "./grouped-integers.js";
import {
  columnsOf,
  floatDtypes,
  groupIndex,
  groupSizeOf,
  middleOf,
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

/** Words along the input that are unpacked together. */
const TILE = 32;

/**
 * GPTQ as AutoGPTQ and GPTQModel write it, for a linear layer of [out, in]:
 * qweight int32 [in · bits / 32, out], the lowest bits first along the input; qzeros int32 [groups, out · bits / 32], along
 * the output; scales [groups, out]; g_idx int32 [in], the group of each input.
 */
export async function gptqMatrices(
  file: WeightFile,
  source: string,
  options: GptqOptions,
): Promise<Map<string, QuantizedMatrix>> {
  const matrices = new Map<string, QuantizedMatrix>();
  const reader = new PartReader(file);
  for (const module of modulesWith(file, "qweight")) {
    matrices.set(module, await gptqMatrix(file, source, module, { ...options, reader }));
  }
  return matrices;
}

async function gptqMatrix(
  file: WeightFile,
  source: string,
  module: string,
  { reader, ...options }: GptqOptions & { reader: PartReader },
): Promise<QuantizedMatrix> {
  const part = (name: string, expected: Parameters<typeof partOf>[3]) =>
    partOf(file, source, `${module}.${name}`, expected);
  const qweight = part("qweight", { dtypes: ["I32"], shape: [undefined, undefined] });
  const [words, rows] = qweight.shape;
  const index = file.tensors.get(`${module}.g_idx`);
  // GPTQModel's `dynamic` gives single modules bits of their own, which only the inputs in g_idx show.
  const bits = index ? (words * 32) / (index.shape[0] ?? 0) : options.bits;
  if (bits !== 4 && bits !== 8) {
    throw corruptFile(source, `holds "${qweight.name}" in ${bits} bits, of which hfms reads 4 and 8`);
  }
  const perWord = 32 / bits;
  const columns = words * perWord;
  const scales = part("scales", { dtypes: floatDtypes, shape: [undefined, rows] });
  const [groups] = scales.shape;
  const qzeros = part("qzeros", { dtypes: ["I32"], shape: [groups, Math.ceil(rows / perWord)] });
  const groupSize = groupSizeOf(columns, groups, options.groupSize);
  if (groupSize === undefined) throw wrongGroups(source, scales.name, groups, columns);
  const groupOf = index && (await groupIndex(file, source, index.name, { columns, groups, groupSize }));
  const mask = 2 ** bits - 1;
  const zeroPoints = () =>
    reader.last(qzeros.name, async () => {
      const zeros = unpackZeros(await reader.readWords(qzeros.name), { rows, groups, bits });
      return options.zeroPointsLessOne ? zeros.map((zero) => (zero + 1) & mask) : zeros;
    });
  const integers: GroupedIntegers = {
    ...{ rows, columns, bits, groupSize, groupOf },
    zeroPoints: (await zeroPoints()).some((zero) => zero !== middleOf(bits)),
    async read(first, count) {
      const packed = await reader.last(qweight.name, () => reader.readWords(qweight.name));
      const codes = new Uint8Array(count * columns);
      // A tile's codes stay in the processor's cache until their lines are full.
      for (let start = 0; start < words; start += TILE) {
        const end = Math.min(start + TILE, words);
        for (let row = 0; row < count; row++) {
          for (let p = start, to = row * columns + start * perWord; p < end; p++) {
            const word = packed[p * rows + first + row];
            for (let i = 0; i < 32; i += bits) codes[to++] = (word >>> i) & mask;
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
  return {
    shape: [rows, columns],
    parts: [qweight.name, scales.name, qzeros.name, ...(index ? [index.name] : [])],
    integers,
    readFloat32: (first, count) => readGroupedFloats(integers, first, count),
  };
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
