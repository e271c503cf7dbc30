import { readdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { GRAPH_FILE, listGraphs, PREFILL_FILE, WEIGHTS_FILE } from "../../../src/core/graph-store.js";
import { buildInt8Cache } from "../../../src/core/int8-cache/build.js";
import { decoderGoldens, golden } from "../../golden/reference.js";
import { cosine, finish, goldenSource, graphsFolder, tinyDecoder, tinyGraph } from "../../tiny-model.js";
import { temporaryFolder } from "../hub/sandbox.js";

const graphs = graphsFolder();

describe.each(decoderGoldens)("%s with a cache of int8", (name) => {
  it.each([
    { dtype: "fp32", prompts: "one graph for everything" },
    { dtype: "int8", prompts: "a graph for prompts" },
    { dtype: "int8", prefill: false, prompts: "a graph for prompts, but not used" },
  ] as const)(
    "keeps the direction of the logits that the same weights give without it ($dtype, $prompts)",
    async ({ dtype, prompts: _, ...options }) => {
      const root = graphs();
      const decoder = await tinyDecoder(name, { root, dtype, kvCacheDtype: "int8", ...options });
      const exact = await tinyDecoder(name, { root, dtype, ...options });
      for (const { tokens, greedy } of golden(name).reference.prompts) {
        decoder.truncate(0);
        exact.truncate(0);
        for (const piece of [tokens, ...greedy.slice(0, 6).map((token) => [token])]) {
          // Random weights suffer more than trained ones.
          expect(cosine(await decoder.append(piece), await exact.append(piece))).toBeGreaterThan(0.98);
        }
      }
    },
  );
});

describe("the graph with a cache of int8", () => {
  it("stands beside the other one, shares its weights, and is the same when it is built again", async () => {
    const root = await temporaryFolder();
    const base = await tinyGraph("llama-gqa", { root, dtype: "int8" });
    const built = await tinyGraph("llama-gqa", { root, dtype: "int8", kvCacheDtype: "int8" });
    expect(built.directory).not.toBe(base.directory);
    expect(built.manifest).toMatchObject({
      dtype: "int8",
      kvCacheDtype: "int8",
      info: { cacheType: "int8" },
    });
    expect(base.manifest.prefill && built.manifest.prefill).toBe(true);
    const inode = async (directory: string) => (await stat(path.join(directory, WEIGHTS_FILE))).ino;
    expect(await inode(built.directory)).toBe(await inode(base.directory));
    const listed = await listGraphs(root);
    expect(listed.map(({ manifest }) => manifest.kvCacheDtype)).toEqual(
      expect.arrayContaining(["int8", undefined]),
    );
    const size = (kvCacheDtype?: string) =>
      listed.find(({ manifest }) => manifest.kvCacheDtype === kvCacheDtype)?.size as number;
    expect(size("int8")).toBeLessThan(size() / 2);

    const graph = (directory: string) => readFile(path.join(directory, GRAPH_FILE));
    const again = await tinyGraph("llama-gqa", {
      root: await temporaryFolder(),
      dtype: "int8",
      kvCacheDtype: "int8",
    });
    expect(Buffer.compare(await graph(again.directory), await graph(built.directory))).toBe(0);
  });

  it("is the only one where the weights would have to be packed a second time for prompts", async () => {
    const built = await tinyGraph("llama-gqa", { root: graphs(), dtype: "fp32", kvCacheDtype: "int8" });
    expect(built.manifest.prefill).toBe(false);
    expect(await readdir(built.directory)).not.toContain(PREFILL_FILE);
  });

  it("is refused for a model that keeps nothing", async () => {
    const root = graphs();
    const source = goldenSource("bert-mean");
    const base = { ...(await tinyGraph("bert-mean", { root })), textDirectory: source.directory };
    await expect(finish(buildInt8Cache(source, base, { root }))).rejects.toMatchObject({
      code: "unsupported_dtype",
      param: "kvCacheDtype",
    });
  });
});
