import type { FileHandle } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { HfmsError } from "../../../src/core/errors.js";
import { readGgufTable } from "../../../src/core/weights/gguf.js";
import { readSafetensorsTable } from "../../../src/core/weights/safetensors.js";
import type { ByteSource, TensorTable } from "../../../src/core/weights/tensor-file.js";
import fc from "../../property.js";
import { ggufBytes, safetensorsBytes } from "../../weights-writer.js";

const RUNS = 10_000;

const f32 = (...shape: number[]) => ({
  dtype: "F32" as const,
  shape,
  data: new Float32Array(shape.reduce((product, n) => product * n, 1)),
});
const gguf = {
  file: "/models/fuzzed.gguf",
  read: readGgufTable,
  dataLength: 768 + 96 + 224 + 128,
  bytes: ggufBytes(
    {
      "general.architecture": "llama",
      "general.alignment": 32,
      "llama.block_count": 1,
      "llama.rope.freq_base": 0.5,
      "test.signed": -7,
      "test.large": 2n ** 60n,
      "tokenizer.ggml.tokens": ["<s>", "</s>", "a", "b", "ab", ""],
      "tokenizer.ggml.scores": { type: "float32", value: [0, 0, -1, -2, -3, -4] },
      "tokenizer.ggml.token_type": [3, 3, 1, 1, 1, 1],
      "tokenizer.ggml.add_bos_token": true,
      "test.pairs": [[1, 2], [3]],
    },
    {
      "token_embd.weight": f32(6, 32),
      "blk.0.attn_q.weight": { dtype: "Q8_0", shape: [2, 32], data: new Uint8Array(68) },
      "blk.0.ffn_up.weight": { dtype: "Q6_K", shape: [1, 256], data: new Uint8Array(210) },
      "output_norm.weight": f32(32),
    },
  ),
};
const safetensors = {
  file: "/models/fuzzed.safetensors",
  read: readSafetensorsTable,
  dataLength: 192 + 16 + 4,
  bytes: safetensorsBytes(
    {
      "model.embed_tokens.weight": f32(6, 8),
      "model.norm.weight": { dtype: "BF16", shape: [8], data: new Uint8Array(16) },
      scalar: f32(),
      empty: f32(0, 4),
    },
    { format: "pt" },
  ),
};

/** A file in memory: ten thousand real ones would only measure the disk. */
function inMemory(file: string, bytes: Uint8Array): ByteSource {
  const read = async (target: Uint8Array, offset: number, length: number, position: number) => {
    const part = bytes.subarray(position, position + length);
    target.set(part, offset);
    return { bytesRead: part.length, buffer: target };
  };
  return { file, size: bytes.length, handle: { read } as unknown as FileHandle };
}

// What readers trip over: small numbers, limits, powers of two, at any place; bytes that are missing, doubled or new.
const edges = [0n, 1n, 2n, 255n, 2n ** 16n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 40n, 2n ** 53n];
const number = fc
  .tuple(fc.constantFrom(1, 2, 4, 8), fc.constantFrom(...edges, 2n ** 62n, 2n ** 63n, 2n ** 64n - 1n))
  .map(([size, value]) => new Uint8Array(BigUint64Array.of(value).buffer).slice(0, size));
const text = fc.constantFrom(
  "GGUF",
  '"',
  "{}",
  "[",
  "null",
  "-1",
  "1e999",
  "__proto__",
  "F64",
  ",",
  ":",
  "\\u0000",
);
const change = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  kind: fc.constantFrom(
    ...(["flip", "flip", "flip", "overwrite", "overwrite", "insert", "remove", "cut"] as const),
  ),
  value: fc.oneof(
    number,
    number,
    fc.uint8Array({ minLength: 1, maxLength: 4 }),
    text.map((words) => new Uint8Array(Buffer.from(words))),
  ),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function mutated(bytes: Uint8Array, changes: readonly Change[]): Uint8Array {
  let result = bytes;
  for (const { at, kind, value } of changes) {
    const offset = Math.floor(at * result.length);
    const head = result.subarray(0, offset);
    if (kind === "cut") result = head;
    else if (kind === "insert") result = Buffer.concat([head, value, result.subarray(offset)]);
    else if (kind === "remove") result = Buffer.concat([head, result.subarray(offset + value.length)]);
    else {
      result = Uint8Array.from(result);
      if (kind === "flip") result[offset] ^= 1 << (value[0] & 7);
      else result.set(value.subarray(0, result.length - offset), offset);
    }
  }
  return result;
}

interface Outcome {
  table?: TensorTable;
  error?: HfmsError;
}

async function outcome(format: typeof gguf, bytes: Uint8Array): Promise<Outcome> {
  try {
    return { table: await format.read(inMemory(format.file, bytes)) };
  } catch (error) {
    expect(error).toBeInstanceOf(HfmsError);
    return { error: error as HfmsError };
  }
}

/** What an error must name besides the file: a key or tensor, in quotes or by its number, or a part of the header. */
const field =
  /"|key \d+ of|tensor \d+ of|the preamble|version|big-endian|does not begin with "GGUF"|keys|tensors|header|bytes long|__metadata__|after its last tensor/;

describe.each([gguf, safetensors])("$file", (format) => {
  it("is read when nothing is wrong", async () => {
    expect(await outcome(format, format.bytes)).toHaveProperty("table");
  });

  // Behind the header is data, where a change is no damage.
  const headerLength = format.bytes.length - format.dataLength;

  it(`is read or refused, by its name and the field's, after ${RUNS} mutations`, async () => {
    const codes = new Map<string, number>();
    let most = 0;
    const before = process.memoryUsage().arrayBuffers;
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 2 }), async (changes) => {
        const head = mutated(format.bytes.subarray(0, headerLength), changes);
        const bytes = Buffer.concat([head, format.bytes.subarray(headerLength)]);
        const { table, error } = await outcome(format, bytes);
        most = Math.max(most, process.memoryUsage().arrayBuffers - before);
        codes.set(error?.code ?? "read", (codes.get(error?.code ?? "read") ?? 0) + 1);
        if (error) {
          expect(["corrupt_file", "unsupported_dtype", "unsupported_model"]).toContain(error.code);
          expect(error.message).toContain(format.file);
          expect(error.message.slice(format.file.length)).toMatch(field);
          expect(error.message.length).toBeLessThan(600);
        }
        for (const tensor of table?.tensors.values() ?? []) {
          expect(tensor.offset + tensor.byteLength).toBeLessThanOrEqual(bytes.length);
        }
      }),
      { numRuns: RUNS },
    );
    // Both happen, so the mutations are neither too mild nor too wild.
    expect(codes.get("read")).toBeGreaterThan(RUNS / 100);
    expect(codes.get("corrupt_file")).toBeGreaterThan(RUNS / 4);
    // A window and what is not collected yet; the file itself has 3 kB.
    expect(most).toBeLessThan(64_000_000);
  });
});
