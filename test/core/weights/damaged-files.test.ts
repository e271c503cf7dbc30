import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HfmsError } from "../../../src/core/errors.js";
import { openWeights } from "../../../src/core/weights/index.js";
import fc from "../../property.js";
import { ggufBytes, rawSafetensors, safetensorsBytes } from "../../weights-writer.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hfms-damaged-"));
});
afterAll(() => rm(folder, { recursive: true }));

const tensors = {
  "model.embed.weight": { dtype: "F16" as const, shape: [4, 32], data: new Uint16Array(128).fill(0x3c00) },
  "model.norm.weight": { dtype: "F32" as const, shape: [32], data: new Float32Array(32).fill(1) },
};
const quantized = {
  ...tensors,
  "blk.0.q.weight": { dtype: "Q8_0" as const, shape: [2, 32], data: new Uint8Array(68).fill(3) },
};
const files = {
  "model.safetensors": safetensorsBytes(tensors, { format: "pt" }),
  "model.gguf": ggufBytes(
    {
      "general.architecture": "llama",
      "llama.block_count": 1,
      "llama.rope.freq_base": 0.5,
      "tokenizer.ggml.tokens": ["<s>", "</s>", "a", "b", "ab"],
      "tokenizer.ggml.scores": { type: "float32", value: [0, 0, -1, -2, -3] },
      "tokenizer.ggml.add_bos_token": true,
    },
    quantized,
  ),
};

/** Opens the file and reads all of it. True when that worked; throws anything that is not a clear refusal. */
async function readsOrRefuses(name: string, bytes: Uint8Array): Promise<boolean> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  try {
    await using file = await openWeights(path);
    for (const tensor of file.tensors.values()) {
      expect((await file.readBytes(tensor.name)).length).toBe(tensor.byteLength);
      if (!/^(I|U|BOOL)/.test(tensor.dtype)) await file.readFloat32(tensor.name);
    }
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(HfmsError);
    expect(["corrupt_file", "unsupported_dtype", "unsupported_model"]).toContain((error as HfmsError).code);
    return false;
  }
}

// A change is a value of one, four or eight bytes put anywhere: small numbers, limits, powers of two.
const change = fc.record({
  at: fc.nat(),
  value: fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 1 }),
    fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1).map((value) => new Uint8Array(Uint32Array.of(value).buffer)),
    fc
      .constantFrom(0n, 1n, 2n ** 32n, 2n ** 53n, 2n ** 62n, 2n ** 63n, 2n ** 64n - 1n)
      .map((value) => new Uint8Array(BigUint64Array.of(value).buffer)),
  ),
});

describe.each(Object.keys(files) as (keyof typeof files)[])("%s", (name) => {
  const whole = files[name];

  it("is read when nothing is wrong", async () => {
    expect(await readsOrRefuses(name, whole)).toBe(true);
  });

  it("is refused wherever it is cut", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length - 33 }), async (length) => {
        expect(await readsOrRefuses(name, whole.subarray(0, length))).toBe(false);
      }),
      { seed: 3, numRuns: 200 },
    );
  });

  it("is read or clearly refused whatever bytes change, without large allocations", async () => {
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const bytes = whole.slice();
        for (const { at, value } of changes) {
          // Most of the file is tensor data; the header is where a change matters.
          const offset = at % Math.min(bytes.length, 700);
          bytes.set(value.subarray(0, bytes.length - offset), offset);
        }
        await readsOrRefuses(name, bytes);
        most = Math.max(most, process.memoryUsage().arrayBuffers - before);
      }),
      { seed: 3, numRuns: 600 },
    );
    expect(most).toBeLessThan(64_000_000);
  });

  it("is refused when it is anything else", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        expect(await readsOrRefuses(name, bytes)).toBe(false);
        if (name !== "model.gguf") return;
        expect(await readsOrRefuses(name, Buffer.concat([whole.subarray(0, 24), bytes]))).toBe(false);
      }),
      { seed: 3, numRuns: 200 },
    );
  });
});

it("any JSON in a safetensors header is read or clearly refused", async () => {
  const entry = fc.record(
    {
      dtype: fc.oneof(fc.constantFrom("F32", "U8", "F8_E5M2"), fc.jsonValue()),
      shape: fc.oneof(fc.array(fc.oneof(fc.nat(4), fc.integer(), fc.double())), fc.jsonValue()),
      data_offsets: fc.oneof(fc.tuple(fc.nat(64), fc.nat(64)), fc.array(fc.double()), fc.jsonValue()),
    },
    { requiredKeys: [] },
  );
  const header = fc.dictionary(
    fc.oneof(fc.string(), fc.constantFrom("__metadata__", "__proto__")),
    fc.oneof(entry, fc.jsonValue()),
  );
  await fc.assert(
    fc.asyncProperty(header, async (value) => {
      await readsOrRefuses("model.safetensors", rawSafetensors(JSON.stringify(value), new Uint8Array(64)));
    }),
    { seed: 3, numRuns: 500 },
  );
});
