import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ggufParts } from "../../../src/core/weights/gguf-parts.js";
import { openWeights } from "../../../src/core/weights/index.js";
import { type GgufValue, ggufBytes } from "../../weights-writer.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hfms-split-"));
});
afterEach(() => rm(folder, { recursive: true }));

const nameOf = (part: number) => `tiny-0000${part}-of-00003.gguf`;
const tensor = (...values: number[]) => ({
  dtype: "F32" as const,
  shape: [values.length],
  data: Float32Array.from(values),
});

/** Part `number` (from 1) of three, as llama-gguf-split writes it: the first has the metadata. */
function part(number: number, { tensors = [`t${number}`], ...keys }: PartOptions = {}): Uint8Array {
  return ggufBytes(
    {
      ...(number === 1 ? { "general.architecture": "llama" } : {}),
      "split.no": number - 1,
      "split.count": 3,
      "split.tensors.count": 3,
      ...keys,
    },
    Object.fromEntries(tensors.map((name) => [name, tensor(number, 10 * number)])),
  );
}
type PartOptions = { tensors?: string[] } & { [key: `split.${string}`]: GgufValue };

async function write(changes: Record<number, PartOptions | "missing"> = {}): Promise<void> {
  for (const number of [1, 2, 3]) {
    const change = changes[number];
    if (change !== "missing") await writeFile(join(folder, nameOf(number)), part(number, change));
  }
}

describe("a GGUF model in parts", () => {
  it("is opened whole from any of them, and from their folder", async () => {
    await write();
    for (const path of [folder, ...[1, 2, 3].map((number) => join(folder, nameOf(number)))]) {
      await using file = await openWeights(path);
      expect([...file.tensors.keys()]).toEqual(["t1", "t2", "t3"]);
      expect(file.metadata.get("general.architecture")).toBe("llama");
      expect(await file.readFloat32("t1")).toEqual(Float32Array.of(1, 10));
      expect(await file.readFloat32("t3", 1, 1)).toEqual(Float32Array.of(30));
      expect((await file.readBytes("t2")).length).toBe(8);
    }
  });

  it("says which part is missing", async () => {
    await write({ 2: "missing" });
    await expect(openWeights(join(folder, nameOf(3)))).rejects.toMatchObject({
      code: "corrupt_file",
      message: `${nameOf(2)}, one of the model's 3 files, is not in ${folder}`,
    });
  });

  it.each<[string, Record<number, PartOptions>, RegExp]>([
    ["a part of another split", { 2: { "split.count": 4 } }, /00002-of-00003.gguf .* its split.count 4/],
    ["a part under another's name", { 3: { "split.no": 0 } }, /named part 3 of 3, but its split.no is 0/],
    ["a tensor twice", { 3: { tensors: ["t1"] } }, /00003.* has the tensor "t1", which tiny-00001/],
    ["too few tensors", { 2: { tensors: [] } }, /have 3 tensors \(split.tensors.count\), but they have 2/],
  ])("with %s is refused", async (_, changes, message) => {
    await write(changes);
    await expect(openWeights(folder)).rejects.toMatchObject({
      code: "corrupt_file",
      message: expect.stringMatching(message),
    });
  });
});

describe("the names of the parts", () => {
  it.each([
    ["/a/m-00002-of-00002.gguf", ["/a/m-00001-of-00002.gguf", "/a/m-00002-of-00002.gguf"]],
    ["m-00001-of-00001.gguf", ["m-00001-of-00001.gguf"]],
    ["m-00003-of-00002.gguf", ["m-00003-of-00002.gguf"]],
    ["m-00001-of-99999.gguf", ["m-00001-of-99999.gguf"]],
    ["m.gguf", ["m.gguf"]],
  ])("follow from %s", (name, parts) => expect(ggufParts(name)).toEqual(parts));
});
