import { execFile, spawnSync } from "node:child_process";
import { appendFile, mkdir, open, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { type ConversionSource, convert } from "../../src/core/convert.js";
import { BUILDER_VERSION, listGraphs, readAutoChoice } from "../../src/core/graph-store.js";
import type { Dtype } from "../../src/core/requests.js";
import { type Edit, editedGolden } from "../edited-golden.js";
import { collect, finish, goldenSource, graphsFolder } from "../tiny-model.js";
import { temporaryFolder } from "./hub/sandbox.js";

const graphs = graphsFolder();
const llama = goldenSource("llama-gqa");

async function entries(folder: string): Promise<string[]> {
  const all = await readdir(folder, { recursive: true }).catch(() => []);
  return all.filter((entry) => /\.(onnx|bin|json|tmp)(\/|$)/.test(entry));
}

describe("converting a model", () => {
  it("writes graph, weights and manifest, and tells of every tensor", async () => {
    const root = await temporaryFolder();
    const events = await collect(convert(llama, { root, dtype: "fp32" }));
    expect(events[0]).toMatchObject({ type: "progress", phase: "convert", done: 0, unit: "tensors" });
    expect(events.map(({ done }) => done)).toEqual([...events.keys()]);
    expect(events.at(-1)?.done).toBe(events[0].total);
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
      info: { kind: "decoder", layers: 2, kvHeads: 2, headDim: 32, contextLength: 512, vocabularySize: 384 },
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
      expect(await entries(root)).toHaveLength(3);
    }
  });

  it("picks a number format for `auto`, says why and remembers it", async () => {
    const root = await temporaryFolder();
    const picked = async (source: ConversionSource) => {
      const { manifest } = await finish(convert(source, { root, dtype: "auto" }));
      const { model, revision, weights } = source;
      expect(await readAutoChoice(root, model, revision, weights)).toBe(manifest.dtype);
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
    expect(await readAutoChoice(other, llama.model, llama.revision, llama.weights)).toBe("int8");
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
        if (done === 3) {
          expect((await entries(root)).some((entry) => entry.includes(".tmp"))).toBe(true);
          controller.abort();
        }
      }
    })();
    await expect(run).rejects.toMatchObject({ code: "aborted" });
    expect(await entries(root)).toEqual([]);
    expect(await listGraphs(root)).toEqual([]);
  });

  it("because its consumer left leaves nothing", async () => {
    const root = await temporaryFolder();
    for await (const { done } of convert(llama, { root, dtype: "int8" })) if (done === 3) break;
    expect(await entries(root)).toEqual([]);
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
    expect(await entries(root)).toEqual([]);
  });

  it("because the folder can't be made says so", async () => {
    const root = path.join(await temporaryFolder(), "file");
    await writeFile(root, "");
    await expect(finish(convert(llama, { root, dtype: "fp32" }))).rejects.toThrow(/ENOTDIR|EEXIST/);
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
    expect(await entries(root)).toHaveLength(3);
  });
});

describe("what can't be converted", () => {
  const cases: [string, Parameters<typeof editedGolden>[0], Edit, object][] = [
    [
      "a model_type that is not supported, which is named beside those that are",
      "llama-gqa",
      { config: { model_type: "mamba" } },
      {
        code: "unsupported_model",
        message: expect.stringContaining('"mamba"'),
        hint: expect.stringMatching(/bert.*gpt2.*llama/),
      },
    ],
    [
      "no model_type",
      "llama-gqa",
      { config: { model_type: undefined } },
      { code: "unsupported_model", hint: expect.stringContaining("llama") },
    ],
    [
      "a model_type out of JavaScript's own words",
      "llama-gqa",
      { config: { model_type: "constructor" } },
      { code: "unsupported_model" },
    ],
    [
      "a field of the wrong kind, which is named with its value",
      "llama-gqa",
      { config: { hidden_size: "big" } },
      {
        code: "unsupported_model",
        message: expect.stringMatching(/hidden_size is "big"/),
        param: "hidden_size",
      },
    ],
    [
      "a field that is missing",
      "gpt2-bare",
      { config: { n_layer: undefined } },
      { code: "unsupported_model", message: expect.stringContaining("n_layer") },
    ],
    [
      "a variant that the graph would get wrong",
      "bert-mean",
      { config: { position_embedding_type: "relative_key" } },
      { code: "unsupported_model", message: expect.stringContaining("relative_key") },
    ],
    [
      "rope scaling of an unknown kind",
      "llama-gqa",
      { config: { rope_scaling: { rope_type: "yarn", factor: 4 } } },
      { code: "unsupported_model", message: expect.stringContaining("yarn") },
    ],
    [
      "a config.json that is not there",
      "llama-gqa",
      { files: { "config.json": null } },
      { code: "unsupported_model", message: expect.stringContaining("config.json") },
    ],
    [
      "a config.json that is no JSON",
      "llama-gqa",
      { files: { "config.json": "{" } },
      { code: "corrupt_file" },
    ],
    [
      "a config.json that is no object",
      "llama-gqa",
      { files: { "config.json": "[1]" } },
      { code: "corrupt_file" },
    ],
    [
      "a generation_config.json that is no JSON",
      "llama-gqa",
      { files: { "generation_config.json": "oops" } },
      { code: "corrupt_file", message: expect.stringContaining("generation_config.json") },
    ],
    [
      "more layers than the file has, naming the first tensor that is missing",
      "llama-gqa",
      { config: { num_hidden_layers: 3 } },
      { code: "corrupt_file", message: expect.stringContaining("layers.2.input_layernorm.weight") },
    ],
    [
      "a tensor that is missing",
      "gpt2-scaled",
      { renameTensor: "transformer.h.1.mlp.c_fc.weight" },
      { code: "corrupt_file", message: expect.stringContaining("h.1.mlp.c_fc.weight") },
    ],
    [
      "a tensor that is missing in one of several files",
      "llama-bias",
      { renameTensor: "model.layers.1.self_attn.k_proj.bias" },
      { code: "corrupt_file", message: expect.stringContaining("layers.1.self_attn.k_proj.bias") },
    ],
    [
      "a GGUF file without one of its tensors",
      "llama-gguf-q8_0",
      { renameTensor: "blk.1.ffn_down.weight" },
      { code: "corrupt_file", message: expect.stringContaining("layers.1.mlp.down_proj.weight") },
    ],
    [
      "a GGUF file of another architecture",
      "llama-gguf-f32",
      {
        weights: (bytes) =>
          Buffer.from(
            bytes.toString("latin1").replace("\x05\0\0\0\0\0\0\0llama", "\x05\0\0\0\0\0\0\0mamba"),
            "latin1",
          ),
      },
      { code: "unsupported_model", message: expect.stringContaining("mamba") },
    ],
    [
      "safetensors cut short",
      "llama-gqa",
      { weights: (bytes) => bytes.subarray(0, 5000) },
      { code: "corrupt_file" },
    ],
    [
      "safetensors cut by a byte",
      "bert-mean",
      { weights: (bytes) => bytes.subarray(0, -1) },
      { code: "corrupt_file" },
    ],
    ["empty safetensors", "llama-gqa", { weights: () => new Uint8Array() }, { code: "corrupt_file" }],
    [
      "a GGUF file cut short",
      "llama-gguf-q4_1",
      { weights: (bytes) => bytes.subarray(0, -10_000) },
      { code: "corrupt_file" },
    ],
    [
      "a GGUF file that is none",
      "llama-gguf-q4_1",
      { weights: (bytes) => bytes.fill(0x41) },
      { code: "corrupt_file" },
    ],
  ];

  it.each(cases)("%s", async (_what, name, edit, error) => {
    const root = await temporaryFolder();
    const source = await editedGolden(name, edit);
    for (const dtype of ["auto", "fp32"] satisfies Dtype[]) {
      await expect(finish(convert(source, { root, dtype }))).rejects.toMatchObject({
        name: "HfmsError",
        ...error,
      });
    }
    expect(await entries(root)).toEqual([]);
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
