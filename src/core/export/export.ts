import { randomBytes } from "node:crypto";
import fs from "node:fs/promises";
import path from "node:path";
import { type ConversionSource, readModel } from "../convert.js";
import { type ConcreteDtype, matrixFormat } from "../dtype.js";
import { fromFileSystem, HfmsError, throwIfAborted } from "../errors.js";
import { GraphBuilder } from "../graph/builder.js";
import { BUILDER_VERSION, type GraphManifest, TOKENIZER_FILES, WEIGHTS_FILE } from "../graph-store.js";
import type { ProgressEvent, RepoFile } from "../requests.js";
import { openWeights } from "../weights/index.js";
import { standardFace } from "./standard-face.js";

/** What a built graph is exported from. */
export interface ExportSource {
  source: ConversionSource;
  /** The built graph, whose weights the exported one shares. */
  directory: string;
  manifest: GraphManifest;
  /** Files of the model's repository that go along: configuration, tokenizer, pooling. */
  files: string[];
}

export interface Exported {
  /** Absolute. */
  directory: string;
  files: RepoFile[];
}

/** How transformers.js names the file of a number format. Source: its utils/dtypes.js. */
const suffixes: Record<ConcreteDtype, string> = { fp32: "", int8: "_int8", int4: "_q4" };

/**
 * Writes a model as a folder that transformers.js and onnxruntime run: onnx/model*.onnx with its weights beside it,
 * config.json and the tokenizer. It is written aside and renamed, so a folder that is there is complete. Throws
 * invalid_request when something stands where the folder is to be, unsupported_model for an encoder-decoder.
 */
export async function* exportModel(
  { source, directory: built, manifest, files }: ExportSource,
  to: string,
  signal?: AbortSignal,
): AsyncGenerator<ProgressEvent, Exported> {
  const directory = path.resolve(to);
  await refuseExisting(directory);
  const progress = { type: "progress", phase: "export", what: source.model, unit: "bytes" } as const;
  yield { ...progress, done: 0 };
  const name = `model${suffixes[manifest.dtype]}.onnx`;
  const { graph, config } = await standardGraph(source, manifest, `${name}_data`);
  const aside = `${directory}.${process.pid}-${randomBytes(4).toString("hex")}.tmp`;
  try {
    await fs.mkdir(path.join(aside, "onnx"), { recursive: true });
    for (const file of sideFiles(files)) {
      await fs.mkdir(path.dirname(path.join(aside, file)), { recursive: true });
      await fs.copyFile(path.join(source.directory, file), path.join(aside, file));
    }
    for (const file of manifest.ownText ? TOKENIZER_FILES : [])
      await fs.copyFile(path.join(built, file), path.join(aside, file));
    await writeJson(path.join(aside, "config.json"), config);
    await fs.writeFile(path.join(aside, "onnx", name), graph);
    throwIfAborted(signal);
    // A copy, so that the folder lives on when the graph is removed; for free where the file system can share blocks.
    const data = path.join(aside, "onnx", `${name}_data`);
    await fs.copyFile(path.join(built, WEIGHTS_FILE), data, fs.constants.COPYFILE_FICLONE);
    throwIfAborted(signal);
    await fs.rename(aside, directory);
  } catch (error) {
    throw fromFileSystem(error, directory);
  } finally {
    // Where even the folder above is none, there is nothing to remove.
    await fs.rm(aside, { recursive: true, force: true }).catch(() => {});
  }
  yield { ...progress, done: manifest.weightsSize, total: manifest.weightsSize };
  return { directory, files: await filesIn(directory) };
}

async function refuseExisting(directory: string): Promise<void> {
  const there = await fs.stat(directory).catch(() => undefined);
  if (!there || (there.isDirectory() && (await fs.readdir(directory)).length === 0)) return;
  throw new HfmsError("invalid_request", `${directory} is there already`, {
    hint: "name a folder that does not exist, or remove this one first",
    param: "to",
  });
}

/** The same graph over the same weights, with the inputs and outputs that other programs know. */
async function standardGraph(
  source: ConversionSource,
  { dtype, modelType, info }: GraphManifest,
  location: string,
): Promise<{ graph: Uint8Array; config: Record<string, unknown> }> {
  if (info.kind !== "decoder" && info.kind !== "encoder") {
    throw new HfmsError("unsupported_model", `${source.model} (${modelType}) can't be exported`, {
      hint: "encoder-decoders are two graphs, and hfms exports models of one",
    });
  }
  if (info.kind === "decoder" && info.longFrom !== undefined) {
    throw new HfmsError("unsupported_model", `${source.model} (${modelType}) can't be exported`, {
      hint: "it rotates long texts otherwise (longrope), and no input of the usual ones tells a graph which a text is",
    });
  }
  await using opened = await openWeights(path.join(source.directory, source.weights));
  const { architecture, config, weights } = await readModel(source, opened);
  const g = new GraphBuilder({ face: standardFace(info.kind) });
  architecture.build(g, architecture.parseConfig(config), {
    weights,
    format: matrixFormat(dtype, info.kind),
    compute: info.kind === "encoder" ? "floats" : "blocks",
  });
  return {
    graph: g.encode(location, { version: String(BUILDER_VERSION) }),
    config: {
      model_type: modelType,
      ...config,
      "transformers.js_config": { dtype: jsDtype[dtype], use_external_data_format: true },
    },
  };
}

const jsDtype: Record<ConcreteDtype, string> = { fp32: "fp32", int8: "int8", int4: "q4" };

function sideFiles(files: string[]): string[] {
  return files.filter(
    (file) => !/\.(safetensors|gguf)$|\.index\.json$|^config\.json$/.test(file) && !file.startsWith("onnx/"),
  );
}

async function writeJson(file: string, value: object): Promise<void> {
  await fs.writeFile(file, `${JSON.stringify(value, null, 2)}\n`);
}

async function filesIn(directory: string): Promise<RepoFile[]> {
  const entries = await fs.readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const listed = files.map(async (entry) => {
    const full = path.join(entry.parentPath, entry.name);
    const relative = path.relative(directory, full).split(path.sep).join("/");
    return { path: relative, size: (await fs.stat(full)).size };
  });
  return (await Promise.all(listed)).sort((a, b) => (a.path < b.path ? -1 : 1));
}
