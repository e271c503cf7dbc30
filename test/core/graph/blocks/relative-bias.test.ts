import { describe, expect, it } from "vitest";
import { decoderBucket, encoderBucket } from "../../../../src/core/graph/blocks/relative-bias.js";

/** Where the bucket changes, as PyTorch has it (T5Attention._relative_position_bucket): [distance, bucket]. */
const borders = {
  both: [
    ...[
      [-160, 15],
      [-90, 14],
      [-63, 13],
      [-45, 12],
      [-31, 11],
      [-22, 10],
      [-15, 9],
      [-11, 8],
    ],
    ...[-7, -6, -5, -4, -3, -2, -1, 0].map((distance) => [distance, Math.abs(distance)]),
    ...[1, 2, 3, 4, 5, 6, 7, 8].map((distance) => [distance, 16 + distance]),
    ...[
      [12, 25],
      [16, 26],
      [23, 27],
      [32, 28],
      [46, 29],
      [64, 30],
      [91, 31],
    ],
  ],
  past: [
    ...Array.from({ length: 17 }, (_, distance) => [distance, distance]),
    ...[
      [19, 17],
      [21, 18],
      [24, 19],
      [27, 20],
      [31, 21],
      [35, 22],
      [40, 23],
      [46, 24],
      [52, 25],
    ],
    ...[
      [59, 26],
      [67, 27],
      [77, 28],
      [87, 29],
      [99, 30],
      [113, 31],
    ],
  ],
};

describe("the bucket of a distance", () => {
  it.each([
    ["both", encoderBucket],
    ["past", decoderBucket],
  ] as const)("is PyTorch's: %s", (name, bucketOf) => {
    for (let distance = borders[name][0][0]; distance <= 160; distance++) {
      const [, bucket] = borders[name].findLast(([from]) => from <= distance) as number[];
      expect([distance, bucketOf(distance, { buckets: 32, maxDistance: 128 })]).toEqual([distance, bucket]);
    }
  });
});
