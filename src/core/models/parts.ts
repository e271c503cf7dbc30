import type { ModelWeights } from "../graph/model-weights.js";

/** A module that no file has: rows of a stored one, such as the queries of a fused query_key_value. */
export interface Part {
  /** The stored module. */
  module: string;
  /** How many rows the part has. */
  rows: number;
  /** Which row of the stored module (or of its slab) the part's row is. */
  from(row: number): number;
  /** The stored tensor has a matrix for each of many, [count, …]: which one, and whether it is [in, out]. */
  slab?: { index: number; transposed?: boolean };
}

/**
 * The weights with parts beside what is stored; by module, for `.weight` and `.bias` alike. What the file has under a
 * part's own name is taken from there.
 */
export function withParts(weights: ModelWeights, parts: Readonly<Record<string, Part>>): ModelWeights {
  const partOf = (name: string): { part: Part; stored: string } | undefined => {
    const dot = name.lastIndexOf(".");
    const module = name.slice(0, dot);
    if (!Object.hasOwn(parts, module) || weights.has(name)) return undefined;
    return { part: parts[module], stored: parts[module].module + name.slice(dot) };
  };
  // A slab is read whole; its rows are asked for one chunk after the other.
  let last: { key: string; values: Float32Array } | undefined;
  const slabOf = async (stored: string, index: number): Promise<Float32Array> => {
    const key = `${stored}[${index}]`;
    if (last?.key !== key) last = { key, values: await weights.read(stored, index, 1) };
    return last.values;
  };
  return {
    has(name) {
      return weights.has(partOf(name)?.stored ?? name);
    },
    shape(name) {
      const found = partOf(name);
      if (!found) return weights.shape(name);
      const { rows, slab } = found.part;
      const [, ...inner] = weights.shape(found.stored);
      if (!slab) return [rows, ...inner];
      return inner.length === 1 ? [rows] : [rows, slab.transposed ? inner[0] : inner[1]];
    },
    async read(name, first = 0, rows) {
      const found = partOf(name);
      if (!found) return weights.read(name, first, rows);
      const count = rows ?? found.part.rows - first;
      const { slab } = found.part;
      if (slab) {
        const [, ...inner] = weights.shape(found.stored);
        return slabRows(found.part, await slabOf(found.stored, slab.index), inner, first, count);
      }
      const pieces: Float32Array[] = [];
      for (const run of runs(found.part, first, count))
        pieces.push(await weights.read(found.stored, run.first, run.count));
      return joined(pieces);
    },
    storedBlocks(name) {
      const found = partOf(name);
      return found?.part.slab ? undefined : weights.storedBlocks?.(found?.stored ?? name);
    },
    async readBlocks(name, first, rows, format) {
      const found = partOf(name);
      if (!found) return weights.readBlocks(name, first, rows, format);
      if (found.part.slab) return undefined;
      const data: Uint8Array[] = [];
      const scales: Float32Array[] = [];
      const zeroPoints: Uint8Array[] = [];
      for (const run of runs(found.part, first, rows)) {
        const blocks = await weights.readBlocks(found.stored, run.first, run.count, format);
        if (!blocks) return undefined;
        data.push(blocks.data);
        scales.push(blocks.scales);
        if (blocks.zeroPoints) zeroPoints.push(blocks.zeroPoints);
      }
      return {
        data: joined(data),
        scales: joined(scales),
        zeroPoints: zeroPoints.length > 0 ? joined(zeroPoints) : undefined,
      };
    },
  };
}

/**
 * The parts of a module that has q, k and v of each head (or of each group of heads) together: a group has `queries`
 * heads of queries, then a key and a value.
 */
export function groupedParts(
  module: string,
  names: { q: string; k: string; v: string },
  { groups, queries, headDim }: { groups: number; queries: number; headDim: number },
): Record<string, Part> {
  const group = (queries + 2) * headDim;
  const part = (start: number, heads: number): Part => ({
    module,
    rows: groups * heads * headDim,
    from(row) {
      const width = heads * headDim;
      return Math.floor(row / width) * group + start * headDim + (row % width);
    },
  });
  return { [names.q]: part(0, queries), [names.k]: part(queries, 1), [names.v]: part(queries + 1, 1) };
}

/** The parts of a module that has the rows of several one after the other: their sizes by name, in the stored order. */
export function stackedParts(module: string, sizes: Readonly<Record<string, number>>): Record<string, Part> {
  const parts: Record<string, Part> = {};
  let first = 0;
  for (const [name, rows] of Object.entries(sizes)) {
    const start = first;
    parts[name] = { module, rows, from: (row) => start + row };
    first += rows;
  }
  return parts;
}

/** The matrix `index` of a tensor that has many, as a module of its own. */
export function slabPart(module: string, index: number, rows: number, transposed = false): Part {
  return { module, rows, from: (row) => row, slab: { index, transposed } };
}

/** Rows of a part out of its slab's values, which are [rows, columns], [columns, rows] or a vector. */
function slabRows(
  { from, slab }: Part,
  values: Float32Array,
  inner: readonly number[],
  first: number,
  count: number,
): Float32Array {
  const vector = inner.length === 1;
  const transposed = slab?.transposed && !vector;
  const columns = vector ? 1 : inner[transposed ? 0 : 1];
  const [rowStep, columnStep] = transposed ? [1, inner[1]] : [columns, 1];
  const result = new Float32Array(count * columns);
  for (let i = 0; i < count; i++) {
    const start = from(first + i) * rowStep;
    for (let c = 0; c < columns; c++) result[i * columns + c] = values[start + c * columnStep];
  }
  return result;
}

/** Rows that follow each other in the stored module, as one piece. */
function* runs(part: Part, first: number, count: number): Iterable<{ first: number; count: number }> {
  for (let row = first; row < first + count; ) {
    const start = part.from(row);
    let length = 1;
    while (row + length < first + count && part.from(row + length) === start + length) length++;
    yield { first: start, count: length };
    row += length;
  }
}

function joined<A extends Float32Array | Uint8Array>(pieces: A[]): A {
  if (pieces.length === 1) return pieces[0];
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const result = new (pieces[0].constructor as new (length: number) => A)(length);
  let at = 0;
  for (const piece of pieces) {
    result.set(piece, at);
    at += piece.length;
  }
  return result;
}
