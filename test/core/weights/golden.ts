import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { GgmlBlockType } from "../../../src/core/weights/types.js";

export const goldenFile = (name: string) =>
  fileURLToPath(new URL(`../../golden/weights/${name}`, import.meta.url));

interface StoredValues {
  bytes: Uint8Array;
  /** What the reference package reads from the bytes. */
  values: Float32Array;
}

/** test/golden/weights/blocks.json, as make.py there wrote it with the Python packages numpy and gguf. */
export function goldenBlocks() {
  const golden = JSON.parse(readFileSync(goldenFile("blocks.json"), "utf8"));
  const decode = (entry: { bytes: string; values: string }): StoredValues => ({
    bytes: fromHex(entry.bytes),
    values: floats(entry.values),
  });
  return {
    rows: golden.rows as number,
    cols: golden.cols as number,
    values: floats(golden.values),
    halves: decode(golden.halves),
    type: (name: "F16" | "BF16" | "Q4_0" | "Q4_1" | "Q8_0") => decode(golden.types[name]),
  };
}

/** Blocks of any bytes out of random-blocks.json, and the digest of what the reference package reads from each. */
export function randomBlocks(type: GgmlBlockType): { bytes: Uint8Array; digests: string[] } {
  const { bytes, digests } = JSON.parse(readFileSync(goldenFile("random-blocks.json"), "utf8"))[type];
  return { bytes: new Uint8Array(Buffer.from(bytes, "base64")), digests };
}

/** As make.py digests the values of a block: NaN, whose bits nobody defines, is always the same. */
export function digestOf(values: Float32Array): string {
  const settled = values.map((value) => value);
  const bits = new Uint32Array(settled.buffer);
  settled.forEach((value, i) => {
    if (Number.isNaN(value)) bits[i] = 0x7fc0_0000;
  });
  return createHash("sha256").update(new Uint8Array(settled.buffer)).digest("hex").slice(0, 16);
}

const fromHex = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));
const floats = (hex: string) => new Float32Array(fromHex(hex).buffer);
