import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

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

const fromHex = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));
const floats = (hex: string) => new Float32Array(fromHex(hex).buffer);
