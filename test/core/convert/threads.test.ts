import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { WorkSizes } from "../../../src/core/convert/write-weights.js";
import { convert } from "../../../src/core/convert.js";
import { editedGolden } from "../../edited-golden.js";
import { graphFiles } from "../../graph-files.js";
import { finish, goldenSource } from "../../tiny-model.js";
import { temporaryFolder } from "../hub/sandbox.js";

/** Threads for every model, with many pieces. */
const threaded: WorkSizes = { piece: 4096, threads: 0, checkpoint: 2 ** 28 };

describe("threads", () => {
  it.each([
    ["llama-gqa", "int8"],
    ["gpt2-scaled", "int4"],
    ["llama-gguf-q4_1", "int8"],
    ["bert-mean", "fp32"],
  ] as const)("make of %s in %s what one makes alone", async (name, dtype) => {
    const source = goldenSource(name);
    const [alone, shared] = [await temporaryFolder(), await temporaryFolder()];
    const one = await finish(convert(source, { root: alone, dtype }));
    const many = await finish(convert(source, { root: shared, dtype, threads: 2, sizes: threaded }));
    for (const file of ["weights.bin", "model.onnx"]) {
      const [x, y] = await Promise.all(
        [one, many].map((built) => readFile(path.join(built.directory, file))),
      );
      expect(x.equals(y)).toBe(true);
    }
    expect(many.manifest).toEqual(one.manifest);
  });

  it("say what is wrong with the weights, and leave nothing", async () => {
    const root = await temporaryFolder();
    const nan = Buffer.from(Float32Array.of(Number.NaN).buffer);
    const source = await editedGolden("llama-gqa", {
      weights: (bytes) => Buffer.concat([bytes.subarray(0, -516), nan, bytes.subarray(-512)]),
    });
    const run = finish(convert(source, { root, dtype: "int8", threads: 2, sizes: threaded }));
    await expect(run).rejects.toMatchObject({ code: "corrupt_file", hint: expect.any(String) });
    expect(await graphFiles(root)).toEqual([]);
  });

  it("end when the work is stopped", async () => {
    const root = await temporaryFolder();
    const options = { root, dtype: "int8", threads: 2, sizes: threaded } as const;
    for await (const { done } of convert(goldenSource("llama-gqa"), options)) if (done > 0) break;
    expect(await graphFiles(root)).toEqual([]);
    expect(process.getActiveResourcesInfo()).not.toContain("Worker");
  });
});
