import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { exportModel } from "../../../src/core/export/export.js";
import type { Dtype } from "../../../src/core/requests.js";
import { type DecoderGolden, type EncoderGolden, golden } from "../../golden/reference.js";
import {
  cosine,
  finish,
  goldenSource,
  graphsFolder,
  indexOfLargest,
  largestDifference,
  tinyGraph,
} from "../../tiny-model.js";

type Name = Parameters<typeof goldenSource>[0];
type Tensors = Record<string, Tensor>;

const graphs = graphsFolder();
const files = ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"];
let folders = 0;

async function exported(name: Name, dtype: Dtype = "fp32") {
  const { directory: built, manifest } = await tinyGraph(name, { root: graphs(), dtype });
  const to = path.join(graphs(), `export-${folders++}`);
  const source = goldenSource(name);
  const own = manifest.ownText ? [] : files;
  return finish(exportModel({ source, directory: built, manifest, files: own }, to));
}

async function open(directory: string, file = "model.onnx"): Promise<InferenceSession> {
  return InferenceSession.create(path.join(directory, "onnx", file), { intraOpNumThreads: 1 });
}

const int64 = (rows: readonly (readonly number[])[]) =>
  new Tensor("int64", BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0].length]);

/** The cache of a sequence that has not begun. */
function emptyCache(session: InferenceSession, rows: number): Tensors {
  const cache: Tensors = {};
  for (const input of session.inputMetadata) {
    if (!input.name.startsWith("past_key_values.") || !input.isTensor) continue;
    const [, heads, , size] = input.shape as number[];
    cache[input.name] = new Tensor("float32", new Float32Array(), [rows, heads, 0, size]);
  }
  return cache;
}

function nextCache(outputs: Tensors): Tensors {
  const present = Object.entries(outputs).filter(([name]) => name.startsWith("present."));
  return Object.fromEntries(
    present.map(([name, value]) => [name.replace("present", "past_key_values"), value]),
  );
}

function lastLogits({ logits }: Tensors, row = 0, position = logits.dims[1] - 1): Float32Array {
  const [, length, vocabulary] = logits.dims;
  const start = (row * length + position) * vocabulary;
  return (logits.data as Float32Array).subarray(start, start + vocabulary);
}

describe.each(["llama-gqa", "llama-bias", "gpt2-scaled"] as const)("an exported decoder (%s)", (name) => {
  const { prompts } = (golden(name) as DecoderGolden).reference;

  it("gives PyTorch's greedy tokens to a program that knows ids, a mask and past keys and values", async () => {
    const session = await open((await exported(name)).directory);
    const { tokens, greedy, logits } = prompts[1];
    let ids = tokens;
    let length = 0;
    let cache = emptyCache(session, 1);
    const found: number[] = [];
    for (let step = 0; step < 8; step++) {
      const positions = ids.map((_, i) => length + i);
      length += ids.length;
      const given: Tensors = { input_ids: int64([ids]), attention_mask: int64([new Array(length).fill(1)]) };
      if (session.inputNames.includes("position_ids")) given.position_ids = int64([positions]);
      const outputs = await session.run({ ...given, ...cache });
      expect(outputs.logits.dims.slice(0, 2)).toEqual([1, ids.length]);
      if (step === 0) expect(largestDifference(lastLogits(outputs), logits.values)).toBeLessThan(1e-4);
      found.push(indexOfLargest(lastLogits(outputs)));
      ids = found.slice(-1);
      cache = nextCache(outputs);
    }
    expect(found).toEqual(greedy.slice(0, 8));
  });

  it("gives rows that are padded on the right what each gets alone", async () => {
    const session = await open((await exported(name)).directory);
    const rows = [prompts[1], prompts[2]];
    const width = Math.max(...rows.map(({ tokens }) => tokens.length));
    const padded = (values: number[]) => [...values, ...new Array(width - values.length).fill(0)];
    const given: Tensors = {
      input_ids: int64(rows.map(({ tokens }) => padded(tokens))),
      attention_mask: int64(rows.map(({ tokens }) => padded(tokens.map(() => 1)))),
      ...emptyCache(session, 2),
    };
    if (session.inputNames.includes("position_ids"))
      given.position_ids = int64(rows.map(() => Array.from({ length: width }, (_, i) => i)));
    const outputs = await session.run(given);
    for (const [row, { tokens, logits }] of rows.entries()) {
      const found = lastLogits(outputs, row, tokens.length - 1);
      expect(largestDifference(found, logits.values)).toBeLessThan(1e-4);
    }
  });
});

describe("an exported encoder", () => {
  it("gives PyTorch's hidden states", async () => {
    const { reference } = golden("bert-mean") as EncoderGolden;
    const session = await open((await exported("bert-mean")).directory);
    const { text, values } = reference.lastHiddenState;
    const { tokens } = reference.texts[text];
    const outputs = await session.run({
      input_ids: int64([tokens]),
      attention_mask: int64([tokens.map(() => 1)]),
      token_type_ids: int64([tokens.map(() => 0)]),
    });
    expect(largestDifference(outputs.last_hidden_state.data as Float32Array, values.values)).toBeLessThan(
      1e-4,
    );
  });
});

describe("an exported folder", () => {
  it.each([
    ["int8", "model_int8.onnx", "int8"],
    ["int4", "model_q4.onnx", "q4"],
  ] as const)(
    "names the file of %s as transformers.js does, and says so in its configuration",
    async (dtype, file, name) => {
      const { directory, files } = await exported("llama-gqa", dtype);
      expect(files.map((one) => one.path)).toEqual([
        "config.json",
        `onnx/${file}`,
        `onnx/${file}_data`,
        "tokenizer.json",
        "tokenizer_config.json",
      ]);
      const config = JSON.parse(await readFile(path.join(directory, "config.json"), "utf8"));
      expect(config).toMatchObject({
        model_type: "llama",
        "transformers.js_config": { dtype: name, use_external_data_format: true },
      });
      const session = await open(directory, file);
      const { tokens, logits } = (golden("llama-gqa") as DecoderGolden).reference.prompts[1];
      const outputs = await session.run({
        input_ids: int64([tokens]),
        attention_mask: int64([tokens.map(() => 1)]),
        ...emptyCache(session, 1),
      });
      expect(cosine(lastLogits(outputs), logits.values)).toBeGreaterThan(dtype === "int8" ? 0.998 : 0.9);
    },
  );

  it("of a GGUF file has a configuration and a tokenizer", async () => {
    const { directory } = await exported("llama-gguf-q8_0", "int8");
    const config = JSON.parse(await readFile(path.join(directory, "config.json"), "utf8"));
    expect(config).toMatchObject({ model_type: "llama", num_hidden_layers: 2 });
    expect(existsSync(path.join(directory, "tokenizer.json"))).toBe(true);
  });

  it("replaces nothing, and leaves nothing beside it when it can't be written", async () => {
    const { directory: built, manifest } = await tinyGraph("llama-gqa", { root: graphs() });
    const to = path.join(graphs(), "taken");
    await mkdir(to);
    await writeFile(path.join(to, "mine.txt"), "mine");
    const source = goldenSource("llama-gqa");
    const write = (folder: string) =>
      finish(exportModel({ source, directory: built, manifest, files }, folder));
    await expect(write(to)).rejects.toMatchObject({ code: "invalid_request", param: "to" });
    await expect(write(path.join(to, "mine.txt", "below"))).rejects.toMatchObject({ code: "file_error" });
    expect(await readdir(to)).toEqual(["mine.txt"]);
    expect((await readdir(graphs())).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});
