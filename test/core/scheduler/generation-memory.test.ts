import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { graphsFolder, tinyGraph } from "../../tiny-model.js";

const graphs = graphsFolder();

it("300 requests of all lengths, some of them cancelled, leave nothing behind", async () => {
  const { graph, manifest } = await tinyGraph("llama-gqa", { root: graphs() });
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--expose-gc", "--input-type=module", "-e", program(graph, manifest.info)],
    { cwd: path.join(import.meta.dirname, "../../..") },
  );
  const { before, after, arrayBuffers, ends } = JSON.parse(stdout);
  expect(ends.stop + ends.length + ends.aborted).toBe(300);
  expect(Math.min(ends.length, ends.aborted)).toBeGreaterThan(50);
  // Each has up to half a megabyte of keys and values: if they stayed, it would be a hundred. Measured over 2,100
  // requests: the first few hundred spread over malloc's arenas, 30 MB; from there on 10 MB up and down.
  expect((after - before) / 1e6).toBeLessThan(40);
  // What is kept on purpose: 2 MB of beginnings, the memory of the last batch and of the last prompt.
  expect(arrayBuffers / 1e6).toBeLessThan(30);
});

/** A program of the built loop that reports its memory before and after the requests. */
const program = (graph: string, info: unknown) => `
  import { Decoder } from "./dist/core/runtime/decoder.js";
  import { createRandom } from "./dist/core/runtime/random.js";
  import { Sampler } from "./dist/core/runtime/sampler.js";
  import { GenerationLoop } from "./dist/core/scheduler/generation-loop.js";
  const info = ${JSON.stringify(info)};
  const graphs = { step: ${JSON.stringify(graph)}, usesPrefill: () => false };
  const decoder = await Decoder.load(graphs, info, { threads: 2 });
  const loop = new GenerationLoop(decoder, { sequences: 8, cacheBytes: 32e6, prefixBytes: 2e6 });
  const random = createRandom(1);
  const below = (n) => Math.floor(random() * n);
  async function request() {
    const controller = new AbortController();
    const cancel = random() < 0.3 ? below(6) : Infinity;
    let count = 0;
    const onToken = () => {
      if (count++ >= cancel) controller.abort();
      return true;
    };
    try {
      const { finishReason } = await loop.generate({
        prompt: Array.from({ length: 1 + below(random() < 0.5 ? 40 : 480) }, () => 5 + below(300)),
        maxTokens: 1 + below(20),
        sampler: new Sampler({ temperature: 1, seed: below(1000) }),
        stopTokens: new Set([2]),
        signal: controller.signal,
        onToken,
      });
      return finishReason;
    } catch (error) {
      return error.code;
    }
  }
  const ends = { stop: 0, length: 0, aborted: 0 };
  async function requests(count) {
    let left = count;
    const worker = async () => {
      while (left-- > 0) ends[await request()]++;
    };
    await Promise.all(Array.from({ length: 12 }, worker));
  }
  async function memory() {
    for (let i = 0; i < 3; i++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { rss, heapTotal, arrayBuffers } = process.memoryUsage();
    // V8 makes its young generation larger when much happens at once; that is no memory of ours.
    return { size: rss - heapTotal, arrayBuffers };
  }
  await requests(300);
  for (const end in ends) ends[end] = 0;
  const { size: before } = await memory();
  await requests(300);
  const { size: after, arrayBuffers } = await memory();
  await loop[Symbol.asyncDispose]();
  await decoder[Symbol.asyncDispose]();
  console.log(JSON.stringify({ before, after, arrayBuffers, ends }));
`;
