import path from "node:path";
import { HfmsError } from "../errors.js";
import type { Pooling } from "../requests.js";
import { readJson, readText } from "./tokenizer-files.js";

/** How a model turns its token vectors into one, as its sentence-transformers files say. */
export interface SentenceConfig {
  pooling: Exclude<Pooling, "auto">;
  normalize: boolean;
  /** Tokens, special ones included. */
  maxLength?: number;
  /** Texts to put in front, by name. */
  prompts: Record<string, string>;
  defaultPrompt?: string;
}

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
  if (!modules) return { pooling: "mean", normalize: true, ...shared };

  let pooling: SentenceConfig["pooling"] = "mean";
  let normalize = false;
  for (const { type, path: folder } of modules) {
    const kind = type.split(".").at(-1);
    if (kind === "Pooling") {
      pooling = poolingOf(
        await readJson<Record<string, unknown>>(path.join(directory, folder, "config.json")),
        folder,
      );
    } else if (kind === "Normalize") normalize = true;
    else if (kind !== "Transformer") {
      throw new HfmsError("unsupported_model", `modules.json names ${type}, which hfms does not run`, {
        hint: "models of Transformer, Pooling and Normalize work",
      });
    }
  }
  return { pooling, normalize, ...shared };
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

function poolingOf(config: Record<string, unknown> | undefined, folder: string): SentenceConfig["pooling"] {
  const modes = Object.entries(config ?? {})
    .filter(([key, value]) => key.startsWith("pooling_mode_") && value === true)
    .map(([key]) => key.slice("pooling_mode_".length));
  if (typeof config?.pooling_mode === "string") modes.push(config.pooling_mode);
  const names: Record<string, SentenceConfig["pooling"]> = {
    mean_tokens: "mean",
    mean: "mean",
    cls_token: "cls",
    cls: "cls",
    lasttoken: "last",
  };
  const known = modes.map((mode) => names[mode]);
  if (known.length !== 1 || !known[0]) {
    throw new HfmsError(
      "unsupported_model",
      `${folder}/config.json asks for pooling ${modes.join(" + ") || "of no kind"}`,
      {
        hint: "hfms pools by mean, cls or last; --pooling chooses one of them",
      },
    );
  }
  return known[0];
}
