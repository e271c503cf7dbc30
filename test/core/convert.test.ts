import { execFile, spawnSync } from "node:child_process";
import { appendFile, mkdir, open, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { type ConversionSource, convert } from "../../src/core/convert.js";
import { BUILDER_VERSION, graphDirectory, listGraphs, readAutoChoice } from "../../src/core/graph-store.js";
import { editedGolden } from "../edited-golden.js";
import { graphFiles } from "../graph-files.js";
import { collect, finish, goldenSource, graphsFolder } from "../tiny-model.js";
import { temporaryFolder } from "./hub/sandbox.js";

const graphs = graphsFolder();
const llama = goldenSource("llama-gqa");

describe("converting a model", () => {
  it("writes graph, weights and manifest, and tells how many bytes are done", async () => {
    const root = await temporaryFolder();
    const events = await collect(convert(llama, { root, dtype: "fp32" }));
    for (const event of events)
      expect(event).toMatchObject({ type: "progress", phase: "convert", unit: "bytes" });
    expect(events[0].done).toBe(0);
    expect(events.map(({ done }) => done)).toEqual(events.map(({ done }) => done).sort((a, b) => a - b));
    expect(events.at(-1)?.done).toBe(events.at(-1)?.total);
    const [{ manifest, directory, size }] = await listGraphs(root);
    expect((await readdir(directory)).sort()).toEqual(["hfms.json", "model.onnx", "weights.bin"]);
    expect(manifest).toMatchObject({
      builder: BUILDER_VERSION,
      model: llama.model,
      revision: llama.revision,
      modelType: "llama",
      tasks: ["text-generation"],
      dtype: "fp32",
      dtypeReason: "asked for",
      stopTokens: [2],
      info: {
        kind: "decoder",
        layers: 2,
        heads: 4,
        kvHeads: 2,
        headDim: 32,
        contextLength: 512,
        vocabularySize: 384,
      },
      ownText: false,
    });
    expect(size).toBeGreaterThan(manifest.weightsSize);
    expect((await stat(path.join(directory, "weights.bin"))).size).toBe(manifest.weightsSize);
  });

  it("takes stop tokens and sampling from what the authors published", async () => {
    const { manifest } = await finish(
      convert(goldenSource("llama-llama3-rope"), { root: graphs(), dtype: "fp32" }),
    );
    expect(manifest.stopTokens).toEqual([1, 4]);
    expect(manifest.sampling).toEqual({ temperature: 0.6, topP: 0.9 });
    // A temperature beside do_sample: false is not meant, as in transformers.
    const bias = await finish(convert(goldenSource("llama-bias"), { root: graphs(), dtype: "fp32" }));
    expect(bias.manifest.sampling).toEqual({});
  });

  it("does nothing a second time, for each commit and number format", async () => {
    const root = await temporaryFolder();
    const first = await finish(convert(llama, { root, dtype: "int8" }));
    const weights = path.join(first.directory, "weights.bin");
    const { mtimeMs, ino } = await stat(weights);
    expect(await collect(convert(llama, { root, dtype: "int8" }))).toEqual([]);
    expect(await finish(convert(llama, { root, dtype: "int8" }))).toEqual(first);
    expect(await stat(weights)).toMatchObject({ mtimeMs, ino });

    const others = [
      await finish(convert(llama, { root, dtype: "int4" })),
      await finish(convert({ ...llama, revision: "1".repeat(40) }, { root, dtype: "int8" })),
      await finish(convert({ ...llama, model: "golden/other" }, { root, dtype: "int8" })),
    ];
    const directories = [first, ...others].map(({ directory }) => directory);
    expect(new Set(directories).size).toBe(4);
    expect(await listGraphs(root)).toHaveLength(4);
    expect(await listGraphs(root, llama.model)).toHaveLength(3);
  });

  it("gives the same bytes every time", async () => {
    const [one, two] = [await temporaryFolder(), await temporaryFolder()];
    for (const dtype of ["fp32", "int8", "int4"] as const) {
      const a = await finish(convert(llama, { root: one, dtype }));
      const b = await finish(convert(llama, { root: two, dtype }));
      for (const file of ["model.onnx", "weights.bin"]) {
        const [x, y] = await Promise.all([a, b].map(({ directory }) => readFile(path.join(directory, file))));
        expect(x.equals(y)).toBe(true);
      }
    }
  });

  it("builds again what another builder version made, and what is damaged", async () => {
    const root = await temporaryFolder();
    const { directory, manifest } = await finish(convert(llama, { root, dtype: "fp32" }));
    const damages = [
      () =>
        writeFile(
          path.join(directory, "hfms.json"),
          JSON.stringify({ ...manifest, builder: BUILDER_VERSION - 1 }),
        ),
      () => writeFile(path.join(directory, "hfms.json"), "{"),
      () => truncate(path.join(directory, "weights.bin"), 100),
      () => appendFile(path.join(directory, "weights.bin"), "x"),
    ];
    for (const damage of damages) {
      await damage();
      expect(await listGraphs(root)).toEqual([]);
      await finish(convert(llama, { root, dtype: "fp32" }));
      expect(await listGraphs(root)).toHaveLength(1);
      expect(await graphFiles(root)).toHaveLength(3);
    }
  });

  it("takes away what an older builder and killed processes left of the same graph", async () => {
    const root = await temporaryFolder();
    const { pid: gone } = spawnSync(process.execPath, ["--version"]);
    const directory = graphDirectory(root, llama.model, llama.revision, llama.weights, "fp32");
    const [name] = path.basename(directory).split(/\.v\d+$/);
    const beside = (folder: string) => path.join(path.dirname(directory), folder);
    const mine = `${name}.v${BUILDER_VERSION}.${process.pid}-0a1b2c3d.tmp`;
    for (const folder of [
      `${name}.v0`,
      `${name}.v${BUILDER_VERSION}.${gone}-0a1b2c3d.tmp`,
      mine,
      "int8.v0",
    ]) {
      await mkdir(beside(folder), { recursive: true });
    }
    await finish(convert(llama, { root, dtype: "fp32" }));
    const left = await readdir(path.dirname(directory));
    expect(left.sort()).toEqual([path.basename(directory), mine, "int8.v0"].sort());
  });

  it("picks a number format for `auto`, says why and remembers it", async () => {
    const root = await temporaryFolder();
    const picked = async (source: ConversionSource) => {
      const { manifest } = await finish(convert(source, { root, dtype: "auto" }));
      const { model, revision, weights } = source;
      expect(await readAutoChoice(root, model, revision, weights)).toMatchObject({ dtype: manifest.dtype });
      expect(manifest.dtypeReason).toMatch(/^\S+ .+/);
      return manifest.dtype;
    };
    expect(await picked(llama)).toBe("int8");
    expect(await picked(goldenSource("bert-mean"))).toBe("fp32");
    expect(await readAutoChoice(root, "golden/none", llama.revision, llama.weights)).toBeUndefined();
    // It is also remembered when the graph stood there already.
    const other = await temporaryFolder();
    await finish(convert(llama, { root: other, dtype: "int8" }));
    await finish(convert(llama, { root: other, dtype: "auto" }));
    const choice = await readAutoChoice(other, llama.model, llama.revision, llama.weights);
    expect(choice).toEqual({ dtype: "int8", reason: expect.stringContaining("parameters: int8 stays") });
  });

  it("writes the tokenizer of a GGUF file beside the graph", async () => {
    const { directory, manifest } = await finish(
      convert(goldenSource("llama-gguf-q4_1"), { root: graphs(), dtype: "fp32" }),
    );
    expect(manifest.ownText).toBe(true);
    expect(await readdir(directory)).toEqual(
      expect.arrayContaining(["tokenizer.json", "tokenizer_config.json"]),
    );
  });

  it("keeps a tensor at a time in memory", async () => {
    const folder = await temporaryFolder();
    const bytes = await writeLargeLlama(folder);
    const program = `
      import { convert } from "./dist/core/convert.js";
      const source = { model: "large", revision: "0", source: "local", directory: ${JSON.stringify(folder)}, weights: "model.safetensors" };
      const rss = () => process.resourceUsage().maxRSS * 1024;
      for await (const _ of convert({ ...source, directory: ${JSON.stringify(llama.directory)} }, { root: ${JSON.stringify(graphs())}, dtype: "fp32" }));
      const before = rss();
      for await (const _ of convert(source, { root: ${JSON.stringify(graphs())}, dtype: "fp32" }));
      console.log(rss() - before);
    `;
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program]);
    expect(bytes).toBeGreaterThan(300e6);
    expect(Number(stdout)).toBeLessThan(bytes / 3);
  });
});

describe("a conversion that does not end", () => {
  it("by the signal leaves nothing", async () => {
    const root = await temporaryFolder();
    const controller = new AbortController();
    const run = (async () => {
      for await (const { done } of convert(llama, { root, dtype: "int8", signal: controller.signal })) {
        if (done > 0) {
          expect((await graphFiles(root)).some((entry) => entry.includes(".tmp"))).toBe(true);
          controller.abort();
        }
      }
    })();
    await expect(run).rejects.toMatchObject({ code: "aborted" });
    expect(await graphFiles(root)).toEqual([]);
    expect(await listGraphs(root)).toEqual([]);
  });

  it("because its consumer left leaves nothing", async () => {
    const root = await temporaryFolder();
    for await (const { done } of convert(llama, { root, dtype: "int8" })) if (done > 0) break;
    expect(await graphFiles(root)).toEqual([]);
  });

  it("because of numbers that are none leaves nothing, and names the fault", async () => {
    const root = await temporaryFolder();
    // In front of the final norm's 512 bytes ends the last matrix.
    const source = await editedGolden("llama-gqa", {
      weights: (bytes) => Buffer.concat([bytes.subarray(0, -516), NAN, bytes.subarray(-512)]),
    });
    await expect(finish(convert(source, { root, dtype: "int8" }))).rejects.toMatchObject({
      code: "corrupt_file",
    });
    expect(await graphFiles(root)).toEqual([]);
  });

  it("because the folder can't be made says so", async () => {
    const root = path.join(await temporaryFolder(), "file");
    await writeFile(root, "");
    await expect(finish(convert(llama, { root, dtype: "fp32" }))).rejects.toMatchObject({
      code: "file_error",
    });
  });

  // A disk that takes a part of a write and then no more: only a file system of its own is one.
  const namespaces = spawnSync("unshare", ["-Urm", "true"]).status === 0;
  it.runIf(namespaces)("because the disk is full says disk_full and leaves nothing", async () => {
    const root = await temporaryFolder();
    const program = `
      import { readdirSync } from "node:fs";
      import { convert } from "./dist/core/convert.js";
      const source = ${JSON.stringify(llama)};
      let code;
      try {
        for await (const _ of convert(source, { root: ${JSON.stringify(root)}, dtype: "fp32" }));
      } catch (error) {
        code = error.code;
      }
      console.log(JSON.stringify({ code, left: readdirSync(${JSON.stringify(root)}, { recursive: true }).filter((one) => /v\\d/.test(one)) }));
    `;
    const script = `mount -t tmpfs -o size=600k none "${root}" && exec "$0" --input-type=module -e "$1"`;
    const { stdout } = await promisify(execFile)("unshare", [
      "-Urm",
      "sh",
      "-c",
      script,
      process.execPath,
      program,
    ]);
    expect(JSON.parse(stdout)).toEqual({ code: "disk_full", left: [] });
  });

  it("is no obstacle for the one that runs beside it", async () => {
    const root = await temporaryFolder();
    const [one, two] = await Promise.all([0, 1].map(() => finish(convert(llama, { root, dtype: "fp32" }))));
    expect(one).toEqual(two);
    expect(await graphFiles(root)).toHaveLength(3);
  });
});

const NAN = Buffer.from(Float32Array.of(Number.NaN).buffer);

/** A llama with two tables of 160 MB, all zeros, that takes no room on the disk. Returns its bytes. */
async function writeLargeLlama(folder: string): Promise<number> {
  const config = JSON.parse(await readFile(path.join(llama.directory, "config.json"), "utf8"));
  const [vocabulary, hidden] = [320_000, 128];
  const sizes: Record<string, number[]> = {
    "model.embed_tokens.weight": [vocabulary, hidden],
    "lm_head.weight": [vocabulary, hidden],
    "model.norm.weight": [hidden],
    "model.layers.0.input_layernorm.weight": [hidden],
    "model.layers.0.post_attention_layernorm.weight": [hidden],
    "model.layers.0.self_attn.q_proj.weight": [128, hidden],
    "model.layers.0.self_attn.k_proj.weight": [64, hidden],
    "model.layers.0.self_attn.v_proj.weight": [64, hidden],
    "model.layers.0.self_attn.o_proj.weight": [hidden, 128],
    "model.layers.0.mlp.gate_proj.weight": [128, hidden],
    "model.layers.0.mlp.up_proj.weight": [128, hidden],
    "model.layers.0.mlp.down_proj.weight": [hidden, 128],
  };
  const changes = { vocab_size: vocabulary, tie_word_embeddings: false, num_hidden_layers: 1 };
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, "config.json"), JSON.stringify({ ...config, ...changes }));
  let offset = 0;
  const header = Object.entries(sizes).map(([name, shape]) => {
    const start = offset;
    offset += shape.reduce((product, n) => product * n, 4);
    return [name, { dtype: "F32", shape, data_offsets: [start, offset] }];
  });
  const text = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  await using file = await open(path.join(folder, "model.safetensors"), "w");
  await file.write(Buffer.concat([length, text]));
  await file.truncate(8 + text.length + offset);
  return offset;
}
