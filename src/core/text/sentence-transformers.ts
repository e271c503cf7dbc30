import path from "node:path";
import { HfmsError } from "../errors.js";
import type { Pooling } from "../requests.js";
import { readJson, readText } from "./tokenizer-files.js";

/** What of a text's token vectors makes one; several stand side by side. */
export type PoolingMode = Exclude<Pooling, "auto"> | "max" | "mean_sqrt_len" | "weightedmean";

/** What stands between pooling and the vector: a module with weights, or a norm to length 1. */
export type SentenceLayer =
  | { kind: "dense"; weights: string; activation: DenseActivation; residual: boolean }
  | { kind: "layer-norm"; weights: string }
  | { kind: "normalize" };

const denseActivations = ["Identity", "Tanh", "ReLU", "Sigmoid"] as const;
export type DenseActivation = (typeof denseActivations)[number];

/** How a model turns its token vectors into one, as its sentence-transformers files say. */
export interface SentenceConfig {
  pooling: readonly PoolingMode[];
  /** In their order. */
  layers: readonly SentenceLayer[];
  /** The vector has length 1 in the end. */
  normalize: boolean;
  /** Tokens of a prompt are pooled, too. */
  includePrompt: boolean;
  /** Tokens, special ones included. */
  maxLength?: number;
  /** Texts to put in front, by name. */
  prompts: Record<string, string>;
  defaultPrompt?: string;
}

/** Of types whose classes in transformers make vectors themselves, which were trained for the product of two. */
const ownSettings: Record<string, Partial<SentenceConfig>> = {
  dpr: { pooling: ["cls"], normalize: false },
};

/**
 * Reads modules.json, 1_Pooling/config.json, sentence_bert_config.json and config_sentence_transformers.json. A plain
 * encoder has none of them: mean pooling, normalised. Source: sentence-transformers, SentenceTransformer and models.Pooling.
 */
export async function readSentenceConfig(directory: string): Promise<SentenceConfig> {
  const [modules, limits, config] = await Promise.all([
    readModules(path.join(directory, "modules.json")),
    readJson<{ max_seq_length?: number }>(path.join(directory, "sentence_bert_config.json")),
    readJson<{ prompts?: Record<string, string>; default_prompt_name?: string | null }>(
      path.join(directory, "config_sentence_transformers.json"),
    ),
  ]);
  const shared = {
    maxLength: limits?.max_seq_length ?? undefined,
    prompts: config?.prompts ?? {},
    defaultPrompt: config?.default_prompt_name ?? undefined,
  };
  const sentence: SentenceConfig = {
    ...{ pooling: ["mean"], layers: [], normalize: true, includePrompt: true },
    ...shared,
  };
  if (!modules) {
    const model = await readJson<{ model_type?: string }>(path.join(directory, "config.json"));
    return { ...sentence, ...ownSettings[model?.model_type ?? ""] };
  }

  const layers: SentenceLayer[] = [];
  for (const { type, path: folder } of modules) {
    const kind = type.split(".").at(-1);
    const settings = (): Promise<Record<string, unknown> | undefined> =>
      readJson<Record<string, unknown>>(path.join(directory, folder, "config.json"));
    if (kind === "Pooling") {
      const config = await settings();
      sentence.pooling = poolingOf(config, folder);
      sentence.includePrompt = config?.include_prompt !== false;
    } else if (kind === "Dense") layers.push(denseOf((await settings()) ?? {}, folder));
    else if (kind === "LayerNorm") layers.push({ kind: "layer-norm", weights: weightsOf(folder) });
    else if (kind === "Normalize") layers.push({ kind: "normalize" });
    else if (kind !== "Transformer" && kind !== "Dropout") {
      throw new HfmsError("unsupported_model", `modules.json names ${type}, which hfms does not run`, {
        hint: "models of Transformer, Pooling, Dense, LayerNorm and Normalize work",
      });
    }
  }
  const last = layers.findLastIndex(({ kind }) => kind !== "normalize") + 1;
  return { ...sentence, layers: layers.slice(0, last), normalize: last < layers.length };
}

/** Whether a folder has sentence-transformers files that say how to make a text's vector. */
export async function isSentenceModel(directory: string): Promise<boolean> {
  return (await readText(path.join(directory, "modules.json"))) !== undefined;
}

/**
 * The class of the activation function that a cross-encoder's score goes through (Sigmoid, Identity), where
 * config_sentence_transformers.json names one; releases before 6 write it into config.json. Source: CrossEncoder.
 */
export async function readActivation(directory: string): Promise<string | undefined> {
  const file = path.join(directory, "config_sentence_transformers.json");
  const name = (await readJson<{ activation_fn?: unknown }>(file))?.activation_fn;
  return typeof name === "string" ? name.split(".").at(-1) : undefined;
}

async function readModules(file: string): Promise<{ type: string; path: string }[] | undefined> {
  const text = await readText(file);
  if (text === undefined) return undefined;
  try {
    const modules = JSON.parse(text) as { type: string; path: string }[];
    if (modules.every((module) => typeof module.type === "string" && typeof module.path === "string"))
      return modules;
  } catch (error) {
    throw new HfmsError("corrupt_file", `${file} is no list of modules: ${(error as Error).message}`, {
      cause: error,
    });
  }
  throw new HfmsError("corrupt_file", `${file} is no list of modules`, { hint: "pull the model again" });
}

/** The order is sentence-transformers'. */
const poolingNames: Record<string, PoolingMode> = {
  cls_token: "cls",
  cls: "cls",
  max_tokens: "max",
  max: "max",
  mean_tokens: "mean",
  mean: "mean",
  mean_sqrt_len_tokens: "mean_sqrt_len",
  weightedmean_tokens: "weightedmean",
  weightedmean: "weightedmean",
  lasttoken: "last",
};

function poolingOf(config: Record<string, unknown> = {}, folder: string): PoolingMode[] {
  const flag = "pooling_mode_";
  const { pooling_mode: named } = config;
  const modes = named === undefined || named === null ? undefined : [named].flat();
  const flags = Object.keys(config).filter((key) => key.startsWith(flag) && config[key] === true);
  const asked = modes ?? flags.map((key) => key.slice(flag.length));
  const order = Object.keys(poolingNames);
  if (!modes) asked.sort((a, b) => order.indexOf(a as string) - order.indexOf(b as string));
  const known = asked.map((mode) =>
    Object.hasOwn(poolingNames, mode as string) ? poolingNames[mode as string] : undefined,
  );
  if (known.length > 0 && known.every((mode) => mode !== undefined)) return known;
  throw new HfmsError(
    "unsupported_model",
    `${folder}/config.json asks for pooling ${asked.join(" + ") || "of no kind"}`,
    { hint: "hfms pools by cls, max, mean, mean_sqrt_len, weightedmean and last; --pooling chooses one" },
  );
}

function denseOf(config: Record<string, unknown>, folder: string): SentenceLayer {
  const { activation_function: named = "Tanh", module_input_name: input = "sentence_embedding" } = config;
  const activation = denseActivations.find((name) => name === String(named).split(".").at(-1));
  const output = config.module_output_name ?? input;
  if (!activation || input !== "sentence_embedding" || output !== input) {
    throw new HfmsError(
      "unsupported_model",
      activation
        ? `${folder}/config.json: a dense layer from ${input} to ${output} is not supported`
        : `${folder}/config.json: activation_function ${named} is not supported`,
      { hint: `hfms knows ${denseActivations.join(", ")}, of sentence_embedding` },
    );
  }
  const residual = config.use_residual === true;
  return { kind: "dense", weights: weightsOf(folder), activation, residual };
}

function weightsOf(folder: string): string {
  return path.join(folder, "model.safetensors");
}
