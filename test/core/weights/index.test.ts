import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openWeights } from "../../../src/core/weights/index.js";
import { writeGguf, writeSafetensors } from "../../weights-writer.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "hfms-weights-"));
});
afterEach(() => rm(folder, { recursive: true }));

const tensor = (...values: number[]) => ({
  dtype: "F32" as const,
  shape: [values.length],
  data: Float32Array.from(values),
});
const at = (name: string) => join(folder, name);

describe("a directory", () => {
  it("opens model.safetensors before anything else", async () => {
    await writeSafetensors(at("model.safetensors"), { a: tensor(1) });
    await writeSafetensors(at("adapter.safetensors"), { b: tensor(2) });
    await writeGguf(at("model.gguf"), {}, { c: tensor(3) });
    await using file = await openWeights(folder);
    expect([...file.tensors.keys()]).toEqual(["a"]);
  });

  it("opens its only GGUF file", async () => {
    await writeGguf(at("any-name.gguf"), {}, { c: tensor(3) });
    await using file = await openWeights(folder);
    expect(await file.readFloat32("c")).toEqual(Float32Array.of(3));
  });

  it("with several GGUF files wants one named", async () => {
    await writeGguf(at("a.gguf"), {}, {});
    await writeGguf(at("b.gguf"), {}, {});
    await expect(openWeights(folder)).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("a.gguf, b.gguf"),
    });
    await using file = await openWeights(at("b.gguf"));
    expect(file.tensors.size).toBe(0);
  });

  it("with PyTorch pickles only is refused, naming them", async () => {
    await writeFile(at("pytorch_model.bin"), "");
    await expect(openWeights(folder)).rejects.toMatchObject({
      code: "unsupported_model",
      message: expect.stringContaining("only pytorch_model.bin"),
    });
  });
});

describe("a path", () => {
  it("that is not there is named", async () => {
    await expect(openWeights(at("nothing.gguf"))).rejects.toMatchObject({
      code: "file_error",
      message: expect.stringContaining("nothing.gguf"),
    });
  });

  it("of another kind is refused", async () => {
    await writeFile(at("model.onnx"), "");
    await expect(openWeights(at("model.onnx"))).rejects.toMatchObject({ code: "unsupported_model" });
  });
});

describe("a sharded model", () => {
  const index = "model.safetensors.index.json";
  const writeIndex = (map: unknown) =>
    writeFile(at(index), JSON.stringify({ metadata: {}, weight_map: map }));
  const first = "model-00001-of-00002.safetensors";
  const second = "model-00002-of-00002.safetensors";

  it("reads each tensor from its shard", async () => {
    await writeSafetensors(at(first), { a: tensor(1, 2) }, { format: "pt" });
    await writeSafetensors(at(second), { b: tensor(3, 4) });
    await writeIndex({ a: first, b: second });
    for (const path of [folder, at(index)]) {
      await using file = await openWeights(path);
      expect([...file.tensors.keys()]).toEqual(["a", "b"]);
      expect(file.metadata.get("format")).toBe("pt");
      expect(await file.readFloat32("a")).toEqual(Float32Array.of(1, 2));
      expect(await file.readFloat32("b", 1, 1)).toEqual(Float32Array.of(4));
      expect((await file.readBytes("b")).length).toBe(8);
      await expect(file.readFloat32("c")).rejects.toMatchObject({ code: "corrupt_file" });
    }
  });

  it("with a missing shard says which", async () => {
    await writeSafetensors(at(first), { a: tensor(1) });
    await writeIndex({ a: first, b: second });
    await expect(openWeights(folder)).rejects.toMatchObject({
      code: "corrupt_file",
      message: expect.stringContaining(`names ${second}, which is not`),
    });
  });

  it("whose shard lacks a tensor says which", async () => {
    await writeSafetensors(at(first), { a: tensor(1) });
    await writeIndex({ a: first, b: first });
    await expect(openWeights(folder)).rejects.toThrow(/tensor "b" is in model-00001-of-00002/);
  });

  it("never leaves its directory", async () => {
    await writeSafetensors(at("outside.safetensors"), { a: tensor(1) });
    await mkdir(at("inside"));
    for (const shard of [
      "../outside.safetensors",
      "..\\outside.safetensors",
      at("outside.safetensors"),
      7,
      "x.bin",
    ]) {
      await writeFile(at(`inside/${index}`), JSON.stringify({ weight_map: { a: shard } }));
      await expect(openWeights(at("inside"))).rejects.toMatchObject({ code: "corrupt_file" });
    }
  });

  it("with an index that is no index is refused", async () => {
    for (const text of ["", "null", "[]", '{"weight_map":3}']) {
      await writeFile(at(index), text);
      await expect(openWeights(folder)).rejects.toMatchObject({ code: "corrupt_file" });
    }
  });
});
