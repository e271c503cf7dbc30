import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openTarget } from "../../src/cli/output.js";
import { decimals, npyHeader, vectorWriter } from "../../src/cli/vector-output.js";
import { HfmsError, type ReadyEvent } from "../../src/core/index.js";
import fc from "../property.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "hfms-vectors-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const ready = {
  model: "tiny",
  revision: "1",
  task: "feature-extraction",
  device: "cpu",
  dtype: "fp32",
} as ReadyEvent;
const done = {
  type: "done",
  count: 2,
  usage: { prompt_tokens: 4, total_tokens: 4 },
  timings: { load_ms: 1, embed_ms: 2 },
} as const;
const vectors = [new Float32Array([0.1, -2, 3e-7]), new Float32Array([1 / 3, 0, 65504])];

async function written(format: Parameters<typeof vectorWriter>[0]): Promise<Buffer> {
  const file = path.join(folder, "out");
  const target = await openTarget(file);
  const writer = vectorWriter(format, target);
  for (const [index, embedding] of vectors.entries()) {
    await writer.add({ type: "embedding", index, embedding, tokens: 2 });
  }
  await writer.end(ready, done);
  await target.end();
  return readFile(file);
}

describe("vectors in a file", () => {
  it("are JSON lines that give the same float32 back", async () => {
    const lines = (await written("jsonl"))
      .toString()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.map(({ index }) => index)).toEqual([0, 1]);
    expect(lines.map(({ embedding }) => new Float32Array(embedding))).toEqual(vectors);
  });

  it("are comma-separated numbers, a row a vector", async () => {
    const rows = (await written("csv")).toString().trimEnd().split("\n");
    expect(rows[0]).toBe("0.1,-2,3e-7");
    expect(rows).toHaveLength(2);
  });

  it("are little-endian float32 in base64", async () => {
    const [first] = (await written("base64")).toString().split("\n");
    const bytes = Buffer.from(JSON.parse(first).embedding, "base64");
    expect([bytes.readFloatLE(0), bytes.readFloatLE(4)]).toEqual([Math.fround(0.1), -2]);
  });

  it("are a NumPy matrix whose header knows the number of rows", async () => {
    const bytes = await written("npy");
    const headerLength = bytes.readUInt16LE(8);
    expect(bytes.subarray(0, 8)).toEqual(Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0]));
    expect(bytes.subarray(10, 10 + headerLength).toString("latin1")).toMatch(
      /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(2, 3\), \} +\n$/,
    );
    expect((10 + headerLength) % 64).toBe(0);
    expect(bytes.length).toBe(10 + headerLength + 2 * 3 * 4);
    expect(bytes.readFloatLE(10 + headerLength + 4 * 3)).toBe(Math.fround(1 / 3));
  });

  it("are one JSON document with model, vectors and usage", async () => {
    const document = JSON.parse((await written("json")).toString());
    expect(document).toMatchObject({
      model: "tiny",
      dtype: "fp32",
      dimensions: 3,
      usage: { total_tokens: 4 },
    });
    expect(document.embeddings[1]).toMatchObject({ index: 1, tokens: 2 });
    expect(new Float32Array(document.embeddings[1].embedding)).toEqual(vectors[1]);
  });

  it("leave nothing behind when the run breaks off", async () => {
    const target = await openTarget(path.join(folder, "out"));
    await target.write("half");
    await target.discard();
    expect(await readdir(folder)).toEqual([]);
  });

  it("can't go where no folder is, and that is said", async () => {
    const file = path.join(folder, "missing", "out");
    await expect(openTarget(file)).rejects.toThrow(HfmsError);
    await expect(openTarget(file)).rejects.toThrow(`the folder of "${file}" does not exist`);
  });
});

it("writes every float32 in decimals that read back to the same bits", () => {
  fc.assert(
    fc.property(
      fc.float32Array({ minLength: 1, maxLength: 20, noNaN: true, noDefaultInfinity: true }),
      (vector) => {
        const back = new Float32Array(decimals(vector).split(",").map(Number));
        // -0 is written as 0.
        expect(back).toEqual(vector.map((value) => value + 0));
      },
    ),
  );
});

it("pads the NumPy header to 128 bytes for every shape", () => {
  expect(npyHeader(0, 0)).toHaveLength(128);
  expect(npyHeader(2 ** 40, 2 ** 20)).toHaveLength(128);
});
