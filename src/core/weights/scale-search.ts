import { notFinite, type QuantizedBlocks, SMALLEST_SCALE } from "./quantized-blocks.js";

/**
 * Fills symmetric blocks with the least squared error that some grids give. On each of them the block's largest
 * magnitude falls on another place; the best scale for the winner's codes follows in closed form. No worse than plain
 * rounding. Throws corrupt_file where a value is NaN or infinite.
 *
 * The search sees every weight of a model a dozen times, so it counts in integers. With x in units of the largest
 * magnitude, 24 bits behind the point, its place on a grid is a multiplication, and its place on the next coarser grid a
 * subtraction. Shifted until the whole part falls out of 32 bits, what is left is the rounding error.
 */
export function searchScales(values: Float32Array, blocks: QuantizedBlocks): void {
  const { rows, cols, bits, blockSize } = blocks;
  const search = new BlockSearch(blocks, bits === 8 ? grids8 : grids4);
  const magnitudes = new Int32Array(values.buffer, values.byteOffset, values.length);
  let block = 0;
  for (let row = 0; row < rows; row++) {
    const rowEnd = (row + 1) * cols;
    for (let start = row * cols; start < rowEnd; start += blockSize) {
      const end = Math.min(start + blockSize, rowEnd);
      search.fit(values, start, end, largestMagnitude(magnitudes, start, end), block);
      block++;
    }
  }
}

interface Grids {
  /** Codes go from -half to high. */
  half: number;
  high: number;
  /** The places where the largest magnitude falls are a whole number of these parts of a step. */
  parts: 1 | 4;
  /** The finest grid: that many parts of a step for the largest magnitude; each of the following has one less. */
  finest: number;
  /** How many: a multiple of four. */
  count: number;
  /** Plain rounding's, which must be among them. */
  plain: number;
}

// What paid on real weights. Eight bits: 127 … 120 steps; a coarser grid seldom has errors so small that it wins. Four: 9 …
// 6¼ steps, of which those behind the eighth are cut off; quarters between find 0.1 % more than whole steps.
const grids8: Grids = { half: 127, high: 127, parts: 1, finest: 127, count: 8, plain: 127 };
const grids4: Grids = { half: 8, high: 7, parts: 4, finest: 36, count: 12, plain: 32 };

/** Bits behind the point of a value, in units of the largest magnitude. */
const POINT = 24;
const ONE = 1 << POINT;
const HALF = ONE >> 1;
/** What shifts the whole part out. */
const WHOLE = 32 - POINT;
/** Bits behind the point of an error that is squared: the squares of 256 values fit into 31 bits. */
const FINE = 12;
/** And of one that corrects the scale: with 256 codes as factors their sum fits, too. */
const FINER = 16;
const ROUND = 1 << (POINT - FINER - 1);
/** So much better than plain rounding a grid must be that these roundings can't have made it up. */
const CLEARLY = 1 - 2 ** -10;

/** Below this a scale could be subnormal, and nobody would notice the difference to zero. */
const TINY = SMALLEST_SCALE * 256;

class BlockSearch {
  private readonly blocks: QuantizedBlocks;
  private readonly grids: Grids;
  /** The block's values in units of the largest magnitude: those that all grids have a code for come first. */
  private readonly units: Int32Array;
  /** The others'. */
  private readonly outer: Int32Array;
  /** Sums of squared errors, in steps, by grid. */
  private readonly errors: Float64Array;
  /** By grid, the square of a step. */
  private readonly squares: Float64Array;

  constructor(blocks: QuantizedBlocks, grids: Grids) {
    this.blocks = blocks;
    this.grids = grids;
    this.units = new Int32Array(blocks.blockSize);
    this.outer = new Int32Array(blocks.blockSize);
    this.errors = new Float64Array(grids.count);
    this.squares = Float64Array.from(this.errors, (_, i) => (grids.finest - i) ** -2);
  }

  /** Scale and codes of values[start, end). */
  fit(values: Float32Array, start: number, end: number, magnitude: number, block: number): void {
    const { data, scales, bits, blockSize } = this.blocks;
    if (magnitude < TINY) {
      const first = (block * blockSize * bits) / 8;
      data.fill(bits === 8 ? 128 : 0x88, first, first + (blockSize * bits) / 8);
      scales[block] = 0;
    } else if (bits === 8) {
      scales[block] = this.fitBytes(values, start, end - start, magnitude, block * blockSize);
    } else {
      const largest = signOf(values, start, magnitude) * magnitude;
      scales[block] = this.fitNibbles(values, start, end - start, largest, (block * blockSize) >> 1);
    }
  }

  private fitBytes(
    values: Float32Array,
    start: number,
    count: number,
    magnitude: number,
    at: number,
  ): number {
    const { units } = this;
    const { data } = this.blocks;
    const unit = ONE / magnitude;
    for (let i = 0; i < count; i++) units[i] = ((values[start + i] * unit + (ONE + 0.5)) | 0) - ONE;
    const steps = this.bestGrid(count, 0);
    let cross = 0;
    let square = 0;
    for (let i = 0; i < count; i++) {
      const place = Math.imul(units[i], steps);
      const code = (place + HALF) >> POINT;
      const error = (place - (code << POINT) + ROUND) >> (POINT - FINER);
      data[at + i] = code + 128;
      cross = (cross + Math.imul(code, error)) | 0;
      square = (square + Math.imul(code, code)) | 0;
    }
    return (magnitude / steps) * (1 + cross / (square * 2 ** FINER));
  }

  /** Four bits reach one step further below zero than above, so the largest magnitude is put there. */
  private fitNibbles(
    values: Float32Array,
    start: number,
    count: number,
    largest: number,
    at: number,
  ): number {
    const { units, outer, grids } = this;
    const { data } = this.blocks;
    const { half, high, parts, finest } = grids;
    const unit = -ONE / (parts * largest);
    const lowest = -((half + 0.5) / finest) * ONE;
    const highest = ((high + 0.5) / finest) * ONE;
    let inside = 0;
    let outside = 0;
    for (let i = 0; i < count; i++) {
      const value = ((values[start + i] * unit + (ONE + 0.5)) | 0) - ONE;
      if (value > lowest && value < highest) units[inside++] = value;
      else outer[outside++] = value;
    }
    const grid = this.bestGrid(inside, outside);
    let cross = 0;
    let square = 0;
    let previous = 0;
    for (let i = 0; i < count; i++) {
      const place = Math.imul(((values[start + i] * unit + (ONE + 0.5)) | 0) - ONE, grid);
      let code = (place + HALF) >> POINT;
      if (code > high) code = high;
      else if (code < -half) code = -half;
      cross += code * ((place - (code << POINT) + ROUND) >> (POINT - FINER));
      square += code * code;
      if (i & 1) data[at + (i >> 1)] = previous | ((code + 8) << 4);
      else previous = code + 8;
    }
    // The missing partner of the last value of an odd row is zero.
    if (count & 1) data[at + (count >> 1)] = previous | 0x80;
    return ((-largest * parts) / grid) * (1 + cross / (square * 2 ** FINER));
  }

  /** The grid with the least error, as the parts of a step that the largest magnitude has on it. */
  private bestGrid(inside: number, outside: number): number {
    const { errors, squares, grids } = this;
    for (let i = 0; i < grids.count; i += 4) this.sumErrors(inside, i);
    if (outside > 0) this.addOuterErrors(outside);
    const plain = grids.finest - grids.plain;
    let best = plain;
    let least = errors[plain] * squares[plain] * CLEARLY;
    for (let i = 0; i < errors.length; i++) {
      const error = errors[i] * squares[i];
      if (error < least) {
        least = error;
        best = i;
      }
    }
    return grids.finest - best;
  }

  /** Of four grids, those from `first` on. */
  private sumErrors(count: number, first: number): void {
    const { units, errors } = this;
    const grid = this.grids.finest - first;
    let [a, b, c, d] = [0, 0, 0, 0];
    for (let i = 0; i < count; i++) {
      const unit = units[i] << WHOLE;
      const rest = Math.imul(unit, grid);
      const errorA = rest >> (32 - FINE);
      const errorB = (rest - unit) >> (32 - FINE);
      const errorC = (rest - (unit << 1)) >> (32 - FINE);
      const errorD = (rest - unit - (unit << 1)) >> (32 - FINE);
      a = (a + Math.imul(errorA, errorA)) | 0;
      b = (b + Math.imul(errorB, errorB)) | 0;
      c = (c + Math.imul(errorC, errorC)) | 0;
      d = (d + Math.imul(errorD, errorD)) | 0;
    }
    errors[first] = a;
    errors[first + 1] = b;
    errors[first + 2] = c;
    errors[first + 3] = d;
  }

  /** Of values that are cut off on some grids. */
  private addOuterErrors(count: number): void {
    const { outer, errors, grids } = this;
    for (let i = 0; i < grids.count; i++) {
      let sum = 0;
      for (let j = 0; j < count; j++) {
        const place = Math.imul(outer[j], grids.finest - i);
        const code = Math.max(-grids.half, Math.min(grids.high, (place + HALF) >> POINT));
        const error = (place - (code << POINT)) >> (POINT - FINE);
        sum += error * error;
      }
      errors[i] += sum;
    }
  }
}

// Bits of a float32 without its sign order like its magnitude; infinity and NaN come out on top.
const MAGNITUDE = 0x7fff_ffff;
const INFINITY_BITS = 0x7f80_0000;
const toFloat = new Float32Array(1);
const toFloatBits = new Int32Array(toFloat.buffer);

function largestMagnitude(bits: Int32Array, start: number, end: number): number {
  let largest = 0;
  for (let i = start; i < end; i++) {
    // largest = max(largest, magnitude) without a branch, which would be mispredicted too often.
    const difference = (largest - (bits[i] & MAGNITUDE)) | 0;
    largest = (largest - (difference & (difference >> 31))) | 0;
  }
  if (largest >= INFINITY_BITS) throw notFinite();
  toFloatBits[0] = largest;
  return toFloat[0];
}

/** The sign of the first value of this magnitude. */
function signOf(values: Float32Array, start: number, magnitude: number): 1 | -1 {
  for (let i = start; ; i++) {
    if (values[i] === magnitude) return 1;
    if (values[i] === -magnitude) return -1;
  }
}
