import { randomBytes } from "node:crypto";

/** The next number in [0, 1). */
export type Random = () => number;

/** xoshiro128** (Blackman, Vigna; public domain), seeded through splitmix32. Without a seed it is a different one each time. */
export function createRandom(seed?: number): Random {
  const start = seed === undefined ? randomBytes(8) : undefined;
  let low = start ? start.readUInt32LE(0) : (seed as number) >>> 0;
  const high = start ? start.readUInt32LE(4) : Math.floor((seed as number) / 2 ** 32) >>> 0;
  const splitmix = (): number => {
    low = (low + 0x9e3779b9) >>> 0;
    let z = (low ^ high) >>> 0;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
  let [a, b, c, d] = [splitmix(), splitmix(), splitmix(), splitmix()];
  const rotate = (x: number, k: number): number => (x << k) | (x >>> (32 - k));
  const next = (): number => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotate(d, 11);
    return result;
  };
  // 53 random bits, as Math.random has.
  return () => ((next() >>> 5) * 2 ** 26 + (next() >>> 6)) / 2 ** 53;
}
