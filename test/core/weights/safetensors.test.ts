import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { safetensors } from "../../../src/core/weights/safetensors.js";
import { rawSafetensors, writeSafetensors } from "../../weights-writer.js";
import { goldenBlocks, goldenFile } from "./golden.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hfms-safetensors-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("a file of the reference writer", () => {
  const golden = goldenBlocks();

  it("lists tensors with dtype, shape and bytes, and the metadata", async () => {
    await using file = await safetensors.open(goldenFile("sample.safetensors"));
    expect(file.tensors.get("bf16")).toMatchObject({ dtype: "BF16", shape: [3, 64], byteLength: 384 });
    expect(file.tensors.get("scalar")).toMatchObject({ dtype: "F32", shape: [], byteLength: 4 });
    expect(file.tensors.get("empty")).toMatchObject({ shape: [0, 4], byteLength: 0 });
    expect([...file.metadata]).toEqual([["format", "pt"]]);
  });

  it("reads every float type as float32", async () => {
    await using file = await safetensors.open(goldenFile("sample.safetensors"));
    expect(await file.readFloat32("f32")).toEqual(golden.values);
    expect(await file.readFloat32("f64")).toEqual(golden.values);
    expect(await file.readFloat32("f16")).toEqual(golden.type("F16").values);
    expect(await file.readFloat32("bf16")).toEqual(golden.type("BF16").values);
    expect(await file.readFloat32("scalar")).toEqual(Float32Array.of(2.5));
    expect(await file.readFloat32("empty")).toEqual(new Float32Array(0));
  });

  it("reads some rows only", async () => {
    await using file = await safetensors.open(goldenFile("sample.safetensors"));
    expect(await file.readFloat32("f16", 1, 2)).toEqual(golden.type("F16").values.subarray(64));
    expect(await file.readFloat32("f32", 2)).toEqual(golden.values.subarray(128));
    expect(await file.readBytes("i64", 3, 1)).toEqual(Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0));
    expect(await file.readFloat32("f32", 3, 0)).toEqual(new Float32Array(0));
  });

  it("gives the caller a buffer of its own", async () => {
    await using file = await safetensors.open(goldenFile("sample.safetensors"));
    const first = await file.readBytes("mask");
    first.fill(7);
    expect(await file.readBytes("mask")).toEqual(Uint8Array.of(1, 0));
    expect(first.buffer.byteLength).toBe(2);
  });

  it("refuses rows outside the tensor, unknown tensors, and integers as float32", async () => {
    await using file = await safetensors.open(goldenFile("sample.safetensors"));
    await expect(file.readBytes("f32", 2, 2)).rejects.toThrow("rows 2 to 4");
    await expect(file.readBytes("f32", -1, 1)).rejects.toThrow("rows -1 to 0");
    await expect(file.readBytes("lm_head")).rejects.toMatchObject({ code: "corrupt_file" });
    await expect(file.readFloat32("i64")).rejects.toMatchObject({ code: "unsupported_dtype" });
    await expect(file.readFloat32("mask", 0, 0)).rejects.toMatchObject({ code: "unsupported_dtype" });
  });

  it("can be closed twice", async () => {
    const file = await safetensors.open(goldenFile("sample.safetensors"));
    await file[Symbol.asyncDispose]();
    await file[Symbol.asyncDispose]();
  });
});

describe("a tensor larger than the conversion buffer", () => {
  it("is converted whole", async () => {
    const halves = Uint16Array.from({ length: 5_000_000 }, (_, i) => i % 0x7c00);
    const path = join(folder, "large.safetensors");
    await writeSafetensors(path, { w: { dtype: "BF16", shape: [5_000, 1_000], data: halves } });
    await using file = await safetensors.open(path);
    const bits = new Uint32Array((await file.readFloat32("w")).buffer);
    expect(bits.length).toBe(halves.length);
    expect(bits.every((value, i) => value === halves[i] << 16)).toBe(true);
  });
});

describe("a damaged header", () => {
  const f32 = (extra: object) =>
    JSON.stringify({ a: { dtype: "F32", shape: [2], data_offsets: [0, 8], ...extra } });
  const cases: [string, Uint8Array, RegExp][] = [
    ["an empty file", new Uint8Array(0), /0 bytes long/],
    [
      "a header longer than the file",
      Uint8Array.of(200, 0, 0, 0, 0, 0, 0, 0, 123, 125),
      /header has 200 bytes/,
    ],
    ["a header length of 2^64 - 1", new Uint8Array(8).fill(255), /18446744073709551615 bytes/],
    ["text that is not JSON", rawSafetensors("{,", new Uint8Array(0)), /not JSON/],
    ["bytes that are not UTF-8", Buffer.concat([Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 255)]), /not JSON/],
    ["a list", rawSafetensors("[]", new Uint8Array(0)), /not a JSON object/],
    [
      "metadata that is a number",
      rawSafetensors('{"__metadata__":{"a":1}}', new Uint8Array(0)),
      /not text: "a"/,
    ],
    [
      "no dtype",
      rawSafetensors('{"a":{"shape":[],"data_offsets":[0,0]}}', new Uint8Array(0)),
      /"a" has no dtype/,
    ],
    ["a negative dimension", rawSafetensors(f32({ shape: [-2] }), new Uint8Array(8)), /dimension of -2/],
    ["a fractional dimension", rawSafetensors(f32({ shape: [1.5] }), new Uint8Array(8)), /dimension of 1.5/],
    [
      "a shape beyond 2^53",
      rawSafetensors(f32({ shape: [2 ** 40, 2 ** 40] }), new Uint8Array(8)),
      /too large/,
    ],
    [
      "too many dimensions",
      rawSafetensors(f32({ shape: Array(65).fill(1) }), new Uint8Array(8)),
      /valid shape/,
    ],
    [
      "offsets that are not numbers",
      rawSafetensors(f32({ data_offsets: ["0", "8"] }), new Uint8Array(8)),
      /data_offsets/,
    ],
    [
      "offsets the wrong way round",
      rawSafetensors(f32({ data_offsets: [8, 0] }), new Uint8Array(8)),
      /data_offsets \[8, 0\]/,
    ],
    [
      "a span that is not the shape's",
      rawSafetensors(f32({ shape: [3] }), new Uint8Array(8)),
      /takes 12 bytes.*span 8/,
    ],
    ["a hole", rawSafetensors(f32({ data_offsets: [4, 12] }), new Uint8Array(12)), /leaves a hole/],
    ["data cut off", rawSafetensors(f32({}), new Uint8Array(7)), /cut off/],
    ["bytes after the last tensor", rawSafetensors(f32({}), new Uint8Array(9)), /1 bytes after/],
    [
      "two tensors in one place",
      rawSafetensors(
        '{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}',
        new Uint8Array(6),
      ),
      /"b".*overlaps/,
    ],
  ];

  it.each(cases)("with %s is refused, naming the file", async (_, bytes, message) => {
    const path = join(folder, "damaged.safetensors");
    await writeFile(path, bytes);
    await expect(safetensors.open(path)).rejects.toMatchObject({
      code: "corrupt_file",
      message: expect.stringMatching(message),
    });
    await expect(safetensors.open(path)).rejects.toThrow(path);
  });

  it("above the limit is refused before it is read", async () => {
    const path = join(folder, "sparse.safetensors");
    await writeFile(path, Uint8Array.of(0x80, 0x96, 0x98, 0x01, 0, 0, 0, 0));
    const { truncate } = await import("node:fs/promises");
    await truncate(path, 30_000_000);
    await expect(safetensors.open(path)).rejects.toThrow("header has 26777216 bytes; the limit is 25000000");
  });

  it("of a hundred thousand open brackets is refused", async () => {
    const path = join(folder, "deep.safetensors");
    await writeFile(path, rawSafetensors(`{"a":${"[".repeat(100_000)}`, new Uint8Array(0)));
    await expect(safetensors.open(path)).rejects.toMatchObject({ code: "corrupt_file" });
  });
});

it("names a dtype that is not read", async () => {
  const path = join(folder, "float4.safetensors");
  const header = '{"w":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}';
  await writeFile(path, rawSafetensors(header, new Uint8Array(2)));
  await expect(safetensors.open(path)).rejects.toMatchObject({
    code: "unsupported_dtype",
    message: expect.stringMatching(/"w" as "F4"/),
  });
});

it("notices a file that is cut while it is open", async () => {
  const path = join(folder, "cut.safetensors");
  await writeSafetensors(path, { w: { dtype: "F32", shape: [1000], data: new Float32Array(1000) } });
  await using file = await safetensors.open(path);
  const { truncate } = await import("node:fs/promises");
  await truncate(path, 1000);
  await expect(file.readFloat32("w")).rejects.toMatchObject({ code: "corrupt_file" });
});
