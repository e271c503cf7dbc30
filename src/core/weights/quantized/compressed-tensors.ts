import { corruptFile } from "../tensor-file.js";
import type { WeightFile } from "../types.js";
import { type GroupedIntegers, readGroupedFloats } from "./grouped-integers.js";
import {
  asWords,
  floatDtypes,
  groupIndex,
  groupSizeOf,
  middleOf,
  modulesWith,
  PartReader,
  partOf,
  wrongGroups,
} from "./parts.js";
import { roundTo } from "./scaled.js";
import type { QuantizedMatrix } from "./types.js";

/**
 * Integers as compressed-tensors packs them (pack-quantized), for a linear layer of [out, in]: weight_packed int32
 * [out, in · bits / 32], the lowest bits first, each code plus half the range; weight_scale [out, groups]; where they are
 * not symmetric, weight_zero_point int32 [out · bits / 32, groups]; weight_shape; with act-order, weight_g_idx int32 [in].
 */
export async function packedMatrices(
  file: WeightFile,
  source: string,
): Promise<Map<string, QuantizedMatrix>> {
  const matrices = new Map<string, QuantizedMatrix>();
  const reader = new PartReader(file);
  for (const module of modulesWith(file, "weight_packed")) {
    const part = (name: string, options: Parameters<typeof partOf>[3]) =>
      partOf(file, source, `${module}.${name}`, options);
    const packed = part("weight_packed", { dtypes: ["I32"], shape: [undefined, undefined] });
    const [rows, wordsPerRow] = packed.shape;
    const shape = part("weight_shape", { dtypes: ["I64", "I32"], shape: [2] });
    const [saidRows, columns] = await readIntegers(file, shape.name);
    const bits = (wordsPerRow * 32) / columns;
    if (saidRows !== rows || (bits !== 4 && bits !== 8)) {
      throw corruptFile(
        source,
        `holds "${packed.name}" [${packed.shape.join(", ")}] for a matrix of [${saidRows}, ${columns}], which are no codes of 4 or 8 bits`,
      );
    }
    const scales = part("weight_scale", { dtypes: floatDtypes, shape: [rows, undefined] });
    const groups = scales.shape[1];
    const groupSize = groupSizeOf(columns, groups, -1);
    if (groupSize === undefined) throw wrongGroups(source, scales.name, groups, columns);
    const [zeroName, indexName] = [`${module}.weight_zero_point`, `${module}.weight_g_idx`];
    const hasZeros = file.tensors.has(zeroName);
    const hasIndex = file.tensors.has(indexName);
    const perWord = 32 / bits;
    const mask = 2 ** bits - 1;
    if (hasZeros) part("weight_zero_point", { dtypes: ["I32"], shape: [Math.ceil(rows / perWord), groups] });
    const zeroPoints = () =>
      reader.last(zeroName, async () => {
        const zeros = new Uint8Array(rows * groups).fill(middleOf(bits));
        if (!hasZeros) return zeros;
        const words = await reader.readWords(zeroName);
        return zeros.map((_, i) => {
          const [row, group] = [Math.floor(i / groups), i % groups];
          return (words[Math.floor(row / perWord) * groups + group] >>> ((row % perWord) * bits)) & mask;
        });
      });
    const integers: GroupedIntegers = {
      rows,
      columns,
      bits,
      groupSize,
      groupOf: hasIndex
        ? await groupIndex(file, source, indexName, { columns, groups, groupSize })
        : undefined,
      zeroPoints: hasZeros && (await zeroPoints()).some((zero) => zero !== middleOf(bits)),
      async read(first, count) {
        const words = asWords(await file.readBytes(packed.name, first, count));
        const codes = new Uint8Array(count * columns);
        for (let row = 0; row < count; row++) {
          for (let column = 0; column < columns; column++) {
            const word = words[row * wordsPerRow + Math.floor(column / perWord)];
            codes[row * columns + column] = (word >>> ((column % perWord) * bits)) & mask;
          }
        }
        const factors = await reader.last(scales.name, () => file.readFloat32(scales.name));
        const of = <A extends Float32Array | Uint8Array>(table: A) =>
          table.slice(first * groups, (first + count) * groups) as A;
        return { codes, scales: of(factors), zeros: of(await zeroPoints()) };
      },
    };
    const parts = [packed.name, shape.name, scales.name];
    if (hasZeros) parts.push(zeroName);
    if (hasIndex) parts.push(indexName);
    matrices.set(module, matrixOf(integers, parts, scales.dtype));
  }
  return matrices;
}

/**
 * Integers as they are (int-quantized): weight int8 [out, in], weight_scale for all or for each row, and where they are not
 * symmetric weight_zero_point int8 of the same shape.
 */
export async function integerMatrices(
  file: WeightFile,
  source: string,
): Promise<Map<string, QuantizedMatrix>> {
  const matrices = new Map<string, QuantizedMatrix>();
  const reader = new PartReader(file);
  for (const module of modulesWith(file, "weight_scale")) {
    if (file.tensors.get(`${module}.weight`)?.dtype !== "I8") continue;
    const part = (name: string, options: Parameters<typeof partOf>[3]) =>
      partOf(file, source, `${module}.${name}`, options);
    const weight = part("weight", { dtypes: ["I8"], shape: [undefined, undefined] });
    const [rows, columns] = weight.shape;
    const scales = part("weight_scale", { dtypes: floatDtypes });
    const count = scales.shape.reduce((product, n) => product * n, 1);
    if (count !== 1 && count !== rows) throw wrongGroups(source, scales.name, count, columns);
    const parts = [weight.name, scales.name];
    const zeros = new Uint8Array(rows).fill(128);
    if (file.tensors.has(`${module}.weight_zero_point`)) {
      const points = part("weight_zero_point", { dtypes: ["I8"], shape: scales.shape });
      const stored = new Int8Array((await file.readBytes(points.name)).slice().buffer);
      for (let row = 0; row < rows; row++) zeros[row] = 128 + stored[count === 1 ? 0 : row];
      parts.push(points.name);
    }
    const integers: GroupedIntegers = {
      rows,
      columns,
      bits: 8,
      groupSize: columns,
      zeroPoints: zeros.some((zero) => zero !== 128),
      async read(first, n) {
        // int8 + 128 as uint8 is the same byte with its top bit turned.
        const codes = (await file.readBytes(weight.name, first, n)).map((code) => code ^ 0x80);
        const all = await reader.last(scales.name, () => file.readFloat32(scales.name));
        const ofRows = count === 1 ? new Float32Array(n).fill(all[0]) : all.slice(first, first + n);
        return { codes, scales: ofRows, zeros: zeros.slice(first, first + n) };
      },
    };
    matrices.set(module, matrixOf(integers, parts, scales.dtype));
  }
  return matrices;
}

/** compressed-tensors computes values in the scales' dtype. */
function matrixOf(integers: GroupedIntegers, parts: string[], dtype: string): QuantizedMatrix {
  const round = roundTo(dtype);
  return {
    shape: [integers.rows, integers.columns],
    parts,
    integers,
    async readFloat32(first, count) {
      const values = await readGroupedFloats(integers, first, count);
      round?.(values);
      return values;
    },
  };
}

async function readIntegers(file: WeightFile, name: string): Promise<number[]> {
  const words = asWords(await file.readBytes(name));
  const step = file.tensors.get(name)?.dtype === "I64" ? 2 : 1;
  return [...words].filter((_, i) => i % step === 0);
}
