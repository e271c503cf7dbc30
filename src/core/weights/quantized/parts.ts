import type { HfmsError } from "../../errors.js";
import { corruptFile } from "../tensor-file.js";
import type { TensorDtype, TensorInfo, WeightFile } from "../types.js";

/** The modules of a checkpoint that have a tensor of this name: `model.layers.0.mlp.up_proj` for `qweight`. */
export function modulesWith(file: WeightFile, tensor: string): string[] {
  const ending = `.${tensor}`;
  return [...file.tensors.keys()]
    .filter((name) => name.endsWith(ending))
    .map((name) => name.slice(0, -ending.length));
}

/** A tensor that a quantized matrix can't be without, of the dtypes and the shape that it must have. */
export function partOf(
  file: WeightFile,
  source: string,
  name: string,
  { dtypes, shape }: { dtypes: readonly TensorDtype[]; shape?: readonly (number | undefined)[] },
): TensorInfo {
  const tensor = file.tensors.get(name);
  if (!tensor) throw corruptFile(source, `is incomplete: it has no tensor "${name}"`);
  if (!dtypes.includes(tensor.dtype)) {
    throw corruptFile(source, `is damaged: tensor "${name}" is ${tensor.dtype}, not ${dtypes.join(" or ")}`);
  }
  const fits =
    shape === undefined ||
    (shape.length === tensor.shape.length &&
      shape.every((size, i) => (size ?? tensor.shape[i]) === tensor.shape[i]));
  if (!fits) {
    const asked = shape?.map((size) => size ?? "…").join(", ");
    throw corruptFile(source, `is damaged: tensor "${name}" is [${tensor.shape.join(", ")}], not [${asked}]`);
  }
  return tensor;
}

/** What scales are held in. */
export const floatDtypes = ["F32", "F16", "BF16", "F8_E8M0"] as const satisfies TensorDtype[];

/** Keeps what was made of each kind of part last (`qweight`, `scales`): its rows are asked for again and again. */
export class PartReader {
  readonly #last = new Map<string, { name: string; made: unknown }>();

  private readonly file: WeightFile;

  constructor(file: WeightFile) {
    this.file = file;
  }

  async last<T>(name: string, make: () => Promise<T>): Promise<T> {
    const kind = name.slice(name.lastIndexOf(".") + 1);
    const last = this.#last.get(kind);
    if (last?.name === name) return last.made as T;
    const made = await make();
    this.#last.set(kind, { name, made });
    return made;
  }

  async readWords(name: string): Promise<Uint32Array> {
    return asWords(await this.file.readBytes(name));
  }
}

export function asWords(bytes: Uint8Array): Uint32Array {
  const start = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Uint32Array(start.buffer, start.byteOffset, start.byteLength / 4);
}

/** The zero point of symmetric codes. */
export function middleOf(bits: 4 | 8): number {
  return bits === 4 ? 8 : 128;
}

/**
 * Columns in a group: what the configuration says (-1 is the whole row), unless this tensor has groups of another size.
 * The last group may be short.
 */
export function groupSizeOf(columns: number, groups: number, said: number): number | undefined {
  if (groups === 1) return columns;
  if (said > 0 && Math.ceil(columns / said) === groups) return said;
  return columns % groups === 0 ? columns / groups : undefined;
}

/** Columns [first, first + count) of a [groups, rows] table, as [count, groups]. */
export function columnsOf<A extends Float32Array | Uint8Array>(
  table: A,
  rows: number,
  first: number,
  count: number,
): A {
  const groups = table.length / rows;
  const result = table.slice(0, count * groups) as A;
  for (let row = 0; row < count; row++) {
    for (let group = 0; group < groups; group++)
      result[row * groups + group] = table[group * rows + first + row];
  }
  return result;
}

/** The groups of a matrix's columns; undefined where they are runs of neighbours. */
export async function groupIndex(
  file: WeightFile,
  source: string,
  name: string,
  { columns, groups, groupSize }: { columns: number; groups: number; groupSize: number },
): Promise<Int32Array | undefined> {
  partOf(file, source, name, { dtypes: ["I32"], shape: [columns] });
  const groupOf = Int32Array.from(asWords(await file.readBytes(name)));
  if (groupOf.some((group) => group < 0 || group >= groups)) {
    throw corruptFile(source, `is damaged: tensor "${name}" names groups beyond the ${groups} there are`);
  }
  return groupOf.every((group, i) => group === Math.floor(i / groupSize)) ? undefined : groupOf;
}

export function wrongGroups(source: string, name: string, groups: number, columns: number): HfmsError {
  return corruptFile(source, `is damaged: tensor "${name}" has ${groups} groups for ${columns} inputs`);
}
