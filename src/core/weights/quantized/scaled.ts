import { corruptFile } from "../tensor-file.js";
import type { TensorInfo, WeightFile } from "../types.js";
import { floatDtypes, modulesWith, PartReader, partOf } from "./parts.js";
import type { QuantizedMatrix } from "./types.js";

export interface ScaledOptions {
  /** The name of the scales beside `weight`. */
  scale: "weight_scale" | "weight_scale_inv";
  /** Rows and columns that share a scale, where scales are a grid; those at the end may be fewer. */
  block?: readonly [number, number];
  /** Products are rounded to the number format of the scales. */
  rounded: boolean;
}

const float8 = ["F8_E4M3", "F8_E5M2"] as const;

/**
 * Matrices of 8-bit floats: value = weight · scale, with one scale for all, for each row, or for each block. Sources:
 * transformers, integrations/finegrained_fp8.py (products in float32); compressed-tensors,
 * quantization/lifecycle/forward.py (products in the scales' dtype).
 */
export function scaledMatrices(
  file: WeightFile,
  source: string,
  options: ScaledOptions,
  isMine: (module: string) => boolean = () => true,
): Map<string, QuantizedMatrix> {
  const matrices = new Map<string, QuantizedMatrix>();
  const reader = new PartReader(file);
  for (const module of modulesWith(file, options.scale)) {
    if (!isMine(module)) continue;
    const weight = partOf(file, source, `${module}.weight`, {
      dtypes: float8,
      shape: [undefined, undefined],
    });
    const scales = partOf(file, source, `${module}.${options.scale}`, { dtypes: floatDtypes });
    const [rows, columns] = weight.shape;
    const grid = gridOf(source, scales, rows, columns, options.block);
    const round = options.rounded ? roundTo(scales.dtype) : undefined;
    matrices.set(module, {
      shape: [rows, columns],
      parts: [weight.name, scales.name],
      async readFloat32(first, count) {
        const values = await file.readFloat32(weight.name, first, count);
        const factors = await reader.last(scales.name, () => file.readFloat32(scales.name));
        for (let row = 0, i = 0; row < count; row++) {
          const line = Math.floor((first + row) / grid.height) * grid.columns;
          for (let column = 0; column < columns; column++, i++) {
            values[i] *= factors[line + Math.floor(column / grid.width)];
          }
        }
        round?.(values);
        return values;
      },
    });
  }
  return matrices;
}

/** How many rows and columns of the matrix a scale is for, and how many scales stand in a row of the grid. */
function gridOf(
  source: string,
  { name, shape }: TensorInfo,
  rows: number,
  columns: number,
  block: readonly [number, number] | undefined,
): { height: number; width: number; columns: number } {
  const count = shape.reduce((product, n) => product * n, 1);
  if (count === 1) return { height: rows, width: columns, columns: 1 };
  const [down, across] = shape.length === 1 ? [shape[0], 1] : shape;
  if (shape.length <= 2 && down === rows && across === 1) return { height: 1, width: columns, columns: 1 };
  if (block && shape.length === 2) {
    const [height, width] = block;
    if (down === Math.ceil(rows / height) && across === Math.ceil(columns / width)) {
      return { height, width, columns: across };
    }
  }
  throw corruptFile(
    source,
    `is damaged: tensor "${name}" [${shape.join(", ")}] has no scales for a matrix of [${rows}, ${columns}]`,
  );
}

/** Rounds float32 values in place to a shorter format's, ties to even. */
export function roundTo(dtype: string): ((values: Float32Array) => void) | undefined {
  if (dtype === "BF16") return roundToBfloat16;
  if (dtype === "F16") return roundToHalf;
  return undefined;
}

function roundToBfloat16(values: Float32Array): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) {
    if (Number.isNaN(values[i])) continue;
    bits[i] = (bits[i] + 0x7fff + ((bits[i] >>> 16) & 1)) & 0xffff_0000;
  }
}

/** 11 significant bits, fewer below 2⁻¹⁴; beyond 65,504 it is infinite. */
function roundToHalf(values: Float32Array): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === 0 || !Number.isFinite(value)) continue;
    const exponent = Math.max(Math.floor(Math.log2(Math.abs(value))), -14);
    const step = 2 ** (exponent - 10);
    const steps = value / step;
    const floor = Math.floor(steps);
    const rest = steps - floor;
    const rounded = (rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor) * step;
    values[i] = Math.abs(rounded) > 65_504 ? Math.sign(value) * Infinity : rounded;
  }
}
