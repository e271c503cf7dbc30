import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { ggufSentenceFiles } from "../../../src/core/text/gguf-pooling.js";
import { readSentenceConfig } from "../../../src/core/text/sentence-transformers.js";

const metadata = (type?: number) =>
  new Map<string, string | number>([
    ["general.architecture", "qwen3"],
    ...(type === undefined ? [] : [["qwen3.pooling_type", type] as const]),
  ]);

it.each([
  [1, "mean"],
  [2, "cls"],
  [3, "last"],
] as const)("a GGUF file's pooling_type %i is pooling by %s, to length 1", async (type, pooling) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "hfms-pooling-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, content] of Object.entries(ggufSentenceFiles(metadata(type)) ?? {})) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), JSON.stringify(content));
  }
  expect(await readSentenceConfig(folder)).toMatchObject({ pooling: [pooling], layers: [], normalize: true });
});

it("says nothing of a file that says nothing, and of rerankers", () => {
  for (const type of [undefined, 0, 4]) expect(ggufSentenceFiles(metadata(type))).toBeUndefined();
});

it("refuses a pooling that it doesn't know, by its number", () => {
  expect(() => ggufSentenceFiles(metadata(9))).toThrow("pooling_type 9");
});
