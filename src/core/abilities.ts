import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { readManifest } from "./graph-store.js";
import type { LocalModel, ModelAbilities } from "./requests.js";
import { isSentenceModel, readSentenceConfig } from "./text/sentence-transformers.js";

/**
 * What a model on this machine can be asked, by what lies on the disk; nothing is loaded and nobody is asked. Of a model
 * that hfms has built no graph of yet, only as much is known as its configuration says.
 */
export async function abilitiesOf(model: LocalModel): Promise<ModelAbilities> {
  const [graph] = model.graphs;
  const manifest = graph && (await readManifest(graph.directory));
  const files = filesOf(model);
  const textDirectory = manifest?.ownText ? graph.directory : files;
  const config = await readConfig(files);
  const [template, sentences] = await Promise.all([
    templateOf(textDirectory),
    readSentenceConfig(textDirectory).catch(() => undefined),
  ]);
  const tasks = manifest?.tasks ?? (await tasksOf(config, files));
  const positions =
    manifest?.info.contextLength ?? numberOf(config, "max_position_embeddings", "n_positions");
  // Models of vectors may be made for less than they have positions for.
  const made = tasks[0] === "feature-extraction" ? sentences?.maxLength : undefined;
  const contextLength = positions === undefined ? made : Math.min(positions, made ?? positions);
  const { birthtimeMs, mtimeMs } = await stat(model.directory).catch(() => ({ birthtimeMs: 0, mtimeMs: 0 }));
  // Some file systems have no time of birth.
  const added = birthtimeMs > 0 ? birthtimeMs : mtimeMs;
  return {
    tasks,
    ...(contextLength !== undefined && { contextLength }),
    chatTemplate: template !== undefined,
    toolTemplate: template !== undefined && /\btools\b/.test(template),
    ...(added > 0 && { added: new Date(added).toISOString() }),
  };
}

/** Where config.json and the tokenizer's files are. */
function filesOf({ model, source, directory, graphs, revisions }: LocalModel): string {
  if (source === "package") return directory;
  if (source === "local") return model;
  const built = graphs.map(({ revision }) => revision).find((revision) => revisions.includes(revision));
  return path.join(directory, "snapshots", built ?? revisions.at(-1) ?? "");
}

/** config.json, or nothing: a listing shows what it can and judges nothing. */
async function readConfig(directory: string): Promise<Record<string, unknown>> {
  try {
    const config: unknown = JSON.parse(await readFile(path.join(directory, "config.json"), "utf8"));
    return typeof config === "object" && config !== null ? (config as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

async function tasksOf(config: Record<string, unknown>, directory: string): Promise<string[]> {
  const { architectureOf, textConfig } = await import("./models/index.js");
  const { asEncoder, namesEncoder } = await import("./models/as-encoder.js");
  try {
    const architecture = await architectureOf(textConfig(config).model_type);
    const { tasks, headTasks } =
      namesEncoder(config) || (await isSentenceModel(directory)) ? asEncoder(architecture) : architecture;
    return [...(headTasks?.(config) ?? []), ...tasks];
  } catch {
    return [];
  }
}

async function templateOf(directory: string): Promise<string | undefined> {
  const { loadChatTemplate } = await import("./text/chat-template.js");
  const template = await loadChatTemplate(directory).catch(() => undefined);
  return template?.source({ tools: [{ name: "f" }] });
}

function numberOf(config: Record<string, unknown>, ...keys: string[]): number | undefined {
  return keys.map((key) => config[key]).find((value) => typeof value === "number");
}
