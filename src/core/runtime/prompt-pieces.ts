import { QUERY_BLOCK } from "./lane.js";

/**
 * How many of the `left` tokens of a prompt the next run takes, about `size`. Nowhere is a token left alone, as a piece
 * or as the last block of queries in one: a single row takes another path through the kernels and would not be bit-equal
 * to the same token among others. Only a prompt of one token is a single one.
 */
export function nextPiece(left: number, size: number): number {
  let count = Math.min(left, Math.max(2, size));
  while (count > 2 && (left - count === 1 || count % QUERY_BLOCK === 1)) count--;
  return left === 3 ? 3 : count;
}
