import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { gguf } from "../../../src/core/weights/gguf.js";
import { ggufBytes, writeGguf } from "../../weights-writer.js";
import { goldenBlocks, goldenFile } from "./golden.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hfms-gguf-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Writes the bytes, opens them, and returns the error. */
async function refusal(bytes: Uint8Array, name = "model.gguf") {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return gguf.open(path).then(
    () => "opened",
    (error) => error,
  );
}

describe("a file of the reference writer", () => {
  const golden = goldenBlocks();

  it("has its key-values in their types", async () => {
    await using file = await gguf.open(goldenFile("sample.gguf"));
    expect(Object.fromEntries(file.metadata)).toEqual({
      "general.architecture": "llama",
      "test.uint8": 200,
      "test.int8": -100,
      "test.uint16": 60_000,
      "test.int16": -30_000,
      "test.uint32": 4_000_000_000,
      "test.int32": -2_000_000_000,
      "test.float32": 0.5,
      "test.float64": 0.1,
      "test.uint64": 2n ** 53n + 1n,
      "test.int64": -5,
      "test.bool": true,
      "test.tokens": ["<s>", "Ġhello", "🙂", ""],
      "test.scores": [0.25, -1.5],
      "test.types": [1, 3, 6],
    });
  });

  it("has shapes in row-major order", async () => {
    await using file = await gguf.open(goldenFile("sample.gguf"));
    expect(file.tensors.get("q4_1")).toMatchObject({ dtype: "Q4_1", shape: [3, 64], byteLength: 120 });
  });

  it.each(["f16", "q4_0", "q4_1", "q8_0"] as const)("reads %s to the reference's bits", async (name) => {
    await using file = await gguf.open(goldenFile("sample.gguf"));
    const stored = golden.type(name.toUpperCase() as "F16");
    expect(await file.readBytes(name)).toEqual(stored.bytes);
    expect(await file.readFloat32(name)).toEqual(stored.values);
    expect(await file.readFloat32(name, 1, 1)).toEqual(stored.values.subarray(64, 128));
  });
});

describe("a header", () => {
  it("larger than the first window is read whole", async () => {
    const tokens = Array.from({ length: 60_000 }, (_, i) => `${"token ".repeat(20)}${i} ✓`);
    const long = "x".repeat(9_000_000);
    const path = join(folder, "vocabulary.gguf");
    await writeGguf(
      path,
      { tokens, long, after: 7 },
      { w: { dtype: "I8", shape: [2], data: Int8Array.of(1, -1) } },
    );
    await using file = await gguf.open(path);
    expect(file.metadata.get("tokens")).toEqual(tokens);
    expect(file.metadata.get("long")).toBe(long);
    expect(file.metadata.get("after")).toBe(7);
    expect(await file.readBytes("w")).toEqual(Uint8Array.of(1, 255));
  });

  it("of version 2 is read", async () => {
    const path = join(folder, "v2.gguf");
    await writeFile(path, ggufBytes({ name: "old" }, {}, 2));
    await using file = await gguf.open(path);
    expect(file.metadata.get("name")).toBe("old");
  });

  it("may set the alignment", async () => {
    const path = join(folder, "aligned.gguf");
    const tensor = (value: number) => ({ dtype: "F32" as const, shape: [1], data: Float32Array.of(value) });
    await writeGguf(path, { "general.alignment": 64 }, { a: tensor(1), b: tensor(2) });
    await using file = await gguf.open(path);
    expect(await file.readFloat32("b")).toEqual(Float32Array.of(2));
  });

  it("may nest arrays", async () => {
    const path = join(folder, "nested.gguf");
    await writeGguf(path, { pairs: [[1, 2], [3]], deeper: [[["x"]]] }, {});
    await using file = await gguf.open(path);
    expect(file.metadata.get("pairs")).toEqual([[1, 2], [3]]);
    expect(file.metadata.get("deeper")).toEqual([[["x"]]]);
  });
});

describe("what is not read is refused by name", () => {
  const oneTensor = (data = new Uint8Array(18)) => ({ w: { dtype: "Q4_0" as const, shape: [1, 32], data } });

  it("version 1", async () => {
    expect(await refusal(ggufBytes({}, {}, 1))).toMatchObject({
      code: "unsupported_model",
      message: expect.stringContaining("version 1"),
    });
  });

  it("big endian", async () => {
    const bytes = ggufBytes({}, {});
    bytes.set([0, 0, 0, 3], 4);
    expect(await refusal(bytes)).toMatchObject({
      code: "unsupported_model",
      message: expect.stringContaining("big-endian"),
    });
  });

  it("a part of a split model that has lost its name", async () => {
    expect(await refusal(ggufBytes({ "split.count": 3, "split.no": 1 }, {}))).toMatchObject({
      code: "unsupported_model",
      hint: expect.stringContaining("-00002-of-00003.gguf"),
    });
    expect(await refusal(ggufBytes({ "split.count": 1 }, {}), "small-00001-of-00001.gguf")).toBe("opened");
  });

  it.each([
    [10_000, "unknown ggml type 10000"],
    [16, "IQ2_XXS"],
    [34, "TQ1_0"],
    [39, "MXFP4"],
    [31, "Q4_0_4_4"],
  ])("ggml type %i as %s", async (type, name) => {
    const bytes = Buffer.from(ggufBytes({}, oneTensor()));
    // After the preamble (24): the name (8 + 1), the rank (4), two dimensions (16).
    bytes.writeUInt32LE(type, 24 + 9 + 4 + 16);
    expect(await refusal(bytes)).toMatchObject({
      code: "unsupported_dtype",
      message: expect.stringContaining(name),
      hint: expect.stringContaining("Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K"),
    });
  });
});

describe("a damaged file", () => {
  const tensors = () => ({
    a: { dtype: "F32" as const, shape: [8], data: new Float32Array(8) },
    b: { dtype: "F32" as const, shape: [8], data: new Float32Array(8) },
  });
  /** Where the fields of tensor "a" are: the preamble, then name, rank, dimension, type, offset. */
  const at = { tensorCount: 8, keyCount: 16, rank: 24 + 9, dimension: 24 + 13, offset: 24 + 13 + 12 };
  const patched = (offset: number, value: bigint, size = 8) => {
    const bytes = Buffer.from(ggufBytes({}, tensors()));
    if (size === 8) bytes.writeBigUInt64LE(value, offset);
    else bytes.writeUInt32LE(Number(value), offset);
    return bytes;
  };
  const cases: [string, Uint8Array, RegExp][] = [
    ["nothing in it", new Uint8Array(0), /cut off: it ends at byte 0/],
    ["another magic", Buffer.from("GGML\x03\0\0\0".padEnd(64, "\0")), /does not begin with "GGUF"/],
    ["2^63 tensors", patched(at.tensorCount, 2n ** 63n), /size of 9223372036854775808/],
    ["a million tensors in a small file", patched(at.tensorCount, 1_000_000n), /1000000 tensors follow/],
    ["more tensors than the limit", patched(at.tensorCount, 2n ** 40n), /limit is 1000000/],
    ["more keys than the limit", patched(at.keyCount, 2n ** 40n), /limit is 65536/],
    ["65,536 keys in a small file", patched(at.keyCount, 65_536n), /65536 keys follow/],
    ["a tensor of 5 dimensions", patched(at.rank, 5n, 4), /5 dimensions/],
    ["a dimension of 2^53", patched(at.dimension, 2n ** 53n), /size of 9007199254740992/],
    ["a dimension of 2^52", patched(at.dimension, 2n ** 52n), /too large/],
    [
      "a tensor longer than the file",
      patched(at.dimension, 2n ** 30n),
      /cut off: it has \d+ bytes, tensor "a" ends at/,
    ],
    ["an offset off the alignment", patched(at.offset, 8n), /not a multiple of 32/],
    ["an offset beyond the file", patched(at.offset, 2n ** 50n), /cut off/],
    ["two tensors in one place", patched(at.offset, 32n), /overlaps/],
    ["a key twice", keyTwice(), /key "k" twice/],
    [
      "an alignment of zero",
      ggufBytes({ "general.alignment": { type: "int32", value: 0 } }, {}),
      /alignment is 0/,
    ],
    ["an alignment that is text", ggufBytes({ "general.alignment": "32" }, {}), /alignment is 32/],
    ["a boolean of 2", withValue(7, Uint8Array.of(2)), /boolean with the value 2/],
    ["a value of type 13", withValue(13, new Uint8Array(8)), /unknown type 13/],
    ["a string of 2^40 bytes", withValue(8, u64(2n ** 40n)), /string of 1099511627776 bytes/],
    ["a string beyond the end", withValue(8, u64(1000n)), /cut off/],
    ["an array of type 99", withValue(9, Buffer.concat([u32(99), u64(1n)])), /array of the unknown type 99/],
    ["an array of 2^32 values", withValue(9, Buffer.concat([u32(0), u64(2n ** 32n)])), /limit is 16000000/],
    [
      "an array beyond the end",
      withValue(9, Buffer.concat([u32(8), u64(1000n)])),
      /1000 array values follow/,
    ],
    ["arrays nested too deep", withValue(9, nested(20)), /nested more than 8 deep/],
  ];

  it.each(cases)("with %s is refused, naming the file", async (_, bytes, message) => {
    const error = await refusal(bytes);
    expect(error).toMatchObject({ code: "corrupt_file", message: expect.stringMatching(message) });
    expect(error.message).toContain(join(folder, "model.gguf"));
  });

  it("cut anywhere is refused", async () => {
    const whole = ggufBytes({ name: "x", tokens: ["a", "bc"], ids: [1, 2] }, tensors());
    for (let length = 0; length < whole.length; length++) {
      expect(await refusal(whole.subarray(0, length)), `at ${length}`).toMatchObject({
        code: "corrupt_file",
      });
    }
  });
});

function keyTwice(): Uint8Array {
  const bytes = Buffer.from(ggufBytes({ k: 1, l: 2 }, {}));
  bytes[bytes.indexOf("l")] = "k".charCodeAt(0);
  return bytes;
}

/** One key "k" with a raw value; enough zeros follow that nothing but the value can be at fault. */
function withValue(type: number, value: Uint8Array): Uint8Array {
  const preamble = Buffer.from(ggufBytes({}, {})).subarray(0, 24);
  preamble.writeBigUInt64LE(1n, 16);
  return Buffer.concat([preamble, u64(1n), Buffer.from("k"), u32(type), value, Buffer.alloc(64)]);
}

function nested(depth: number): Uint8Array {
  return Buffer.concat(Array.from({ length: depth }, () => Buffer.concat([u32(9), u64(1n)])));
}

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

function u64(value: bigint): Uint8Array {
  return new Uint8Array(BigUint64Array.of(value).buffer);
}
