import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Config } from "./config.js";
import { HfmsError } from "./errors.js";
import { listGraphs, removeGraphs, type StoredGraph } from "./graph-store.js";
import type { ModelPool } from "./model-pool.js";
import type { Architecture } from "./models/types.js";
import type { LocalModel, ModelInfo, RemovedModel } from "./requests.js";
import { chooseModel } from "./skills/chosen-model.js";
import { aliasesOf, type Registry } from "./skills/registry.js";

/** What is on this machine: downloads by whatever program, and the graphs built from them. */
export async function listModels(config: Config, registry: Registry): Promise<LocalModel[]> {
  const { listCached } = await import("./hub/cached-models.js");
  const [cached, graphs] = await Promise.all([listCached(config), listGraphs(config.hfmsCache)]);
  const models: LocalModel[] = [];
  for (const repository of cached) {
    const own = graphs.filter(
      (graph) => graph.manifest.model === repository.id && graph.manifest.source === repository.source,
    );
    models.push({
      model: repository.id,
      aliases: aliases(registry, repository.id),
      source: repository.source,
      revisions: repository.snapshots.map((snapshot) => snapshot.revision),
      modelType: own[0]?.manifest.modelType ?? (await modelType(repository.snapshots.at(-1)?.directory)),
      task: own[0]?.manifest.tasks[0],
      size: repository.size,
      graphs: own.map(describeGraph),
      directory: repository.directory,
      lastUsed: newest([repository.lastUsed, ...own.map((graph) => graph.lastUsed)]),
    });
  }
  const known = new Set(models.map((model) => `${model.source} ${model.model}`));
  for (const [key, own] of Map.groupBy(graphs, ({ manifest }) => `${manifest.source} ${manifest.model}`)) {
    if (known.has(key)) continue;
    const { manifest, directory } = own[0];
    models.push({
      model: manifest.model,
      aliases: aliases(registry, manifest.model),
      source: manifest.source,
      revisions: [...new Set(own.map((graph) => graph.manifest.revision))],
      modelType: manifest.modelType,
      task: manifest.tasks[0],
      size: 0,
      graphs: own.map(describeGraph),
      directory: path.dirname(directory),
      lastUsed: newest(own.map((graph) => graph.lastUsed)),
    });
  }
  return models.sort((a, b) => (a.model < b.model ? -1 : 1));
}

export async function removeModel(pool: ModelPool, config: Config, model: string): Promise<RemovedModel> {
  const { removeCached } = await import("./hub/cached-models.js");
  const { id } = pool.modelRef({ model });
  const graphs = await removeGraphs(config.hfmsCache, id);
  const isPath = path.isAbsolute(id);
  try {
    // A local model's own files are the user's; only what hfms built from them goes.
    if (isPath)
      throw new HfmsError("model_not_found", `"${id}" has no graphs on this machine`, {
        hint: "see `hfms list`",
        param: "model",
      });
    const removed = await removeCached(config, id);
    return {
      model: id,
      bytes: removed.bytes + graphs.bytes,
      directories: [...removed.directories, ...graphs.directories],
    };
  } catch (error) {
    if (graphs.directories.length > 0 && error instanceof HfmsError && error.code === "model_not_found") {
      return { model: id, ...graphs };
    }
    throw error;
  }
}

/** What the files say, the graph and the skill; of a model that a skill knows also where its source is out of reach. */
export async function modelInfo(
  pool: ModelPool,
  config: Config,
  registry: Registry,
  model: string,
  signal?: AbortSignal,
): Promise<ModelInfo> {
  const { planFiles, resolveRepository } = await import("./hub/index.js");
  const chosen = chooseModel(registry, model);
  const skill = chosen.kind === "hub" ? chosen.skill : undefined;
  const ref = pool.modelRef({ model });
  const notices: string[] = [];
  const repository = await resolveRepository(ref, { config, signal }, ({ message }) =>
    notices.push(message),
  ).catch((error) => {
    if (!skill || !(error instanceof HfmsError) || !outOfReach.has(error.code)) throw error;
    notices.push(`${error.message}; this is what the skill ${skill.name} says`);
    return undefined;
  });
  const plan = repository && (await planFiles(repository));
  const needed = new Set(plan?.files);
  const files = repository?.files.filter((file) => needed.has(file.path)) ?? [];
  const id = repository?.id ?? ref.id;
  const graphs = await listGraphs(config.hfmsCache, id);
  const modelConfig = repository && (await readConfigFile(repository.directory));
  const { architectures } = await import("./models/index.js");
  const manifest = graphs[0]?.manifest;
  const type = manifest?.modelType ?? (modelConfig?.model_type as string | undefined) ?? skill?.modelType;
  const number = (...keys: string[]) =>
    keys.map((key) => modelConfig?.[key]).find((value) => typeof value === "number") as number | undefined;
  const runs = type !== undefined && Object.hasOwn(architectures, type);
  const architecture: Architecture | undefined = runs ? await architectures[type]() : undefined;
  // A GGUF file keeps its template to itself until its graph is built.
  const readable = plan?.format === "safetensors" && files.every((file) => file.cached);
  const textDirectory = manifest?.ownText
    ? graphs[0].directory
    : readable
      ? repository?.directory
      : undefined;
  return {
    model: id,
    skill: skill?.name,
    aliases: aliases(registry, id),
    source: repository?.source,
    revision: repository?.revision,
    modelType: type,
    tasks:
      manifest?.tasks ??
      skill?.tasks ??
      (architecture ? [...(architecture.headTasks?.(modelConfig ?? {}) ?? []), ...architecture.tasks] : []),
    license: (chosen.kind === "hub" ? chosen.model?.license : undefined) ?? skill?.license,
    parameters: manifest?.parameters ?? (chosen.kind === "hub" ? chosen.model?.parameters : undefined),
    contextLength: manifest?.info.contextLength ?? number("max_position_embeddings", "n_positions"),
    vocabularySize: manifest?.info.vocabularySize ?? number("vocab_size"),
    layers:
      (manifest && "layers" in manifest.info ? manifest.info.layers : undefined) ??
      number("num_hidden_layers", "n_layer"),
    hiddenSize:
      number("hidden_size", "n_embd") ??
      (manifest && "hiddenSize" in manifest.info ? manifest.info.hiddenSize : undefined),
    chatTemplate: textDirectory === undefined ? undefined : await hasChatTemplate(textDirectory),
    runnable: runs
      ? { yes: true, reason: `hfms builds ${type} graphs; they run on the CPU` }
      : {
          yes: false,
          reason: type
            ? `hfms has no graph builder for ${type}`
            : "the model's type is not known until it is pulled",
        },
    files,
    graphs: graphs.map(describeGraph),
    directory: repository?.directory,
    notices,
  };
}

const outOfReach = new Set<string>(["hub_unreachable", "offline"]);

function describeGraph({ manifest, directory, size }: StoredGraph): LocalModel["graphs"][number] {
  const { dtype, kvCacheDtype, revision } = manifest;
  return { dtype, ...(kvCacheDtype && { kvCacheDtype }), revision, size, directory };
}

/** Of times in ISO 8601. */
function newest(times: (string | undefined)[]): string | undefined {
  return times
    .filter((time) => time !== undefined)
    .sort()
    .at(-1);
}

function aliases(registry: Registry, id: string): string[] {
  const choice = registry.resolve(id);
  return choice ? aliasesOf(choice) : [];
}

async function modelType(directory: string | undefined): Promise<string | undefined> {
  const config = directory === undefined ? undefined : await readConfigFile(directory);
  return config?.model_type as string | undefined;
}

/** config.json as it is, or undefined: a listing shows what it can and judges nothing. */
async function readConfigFile(directory: string): Promise<Record<string, unknown> | undefined> {
  try {
    return JSON.parse(await readFile(path.join(directory, "config.json"), "utf8")) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

async function hasChatTemplate(directory: string): Promise<boolean | undefined> {
  const { loadChatTemplate } = await import("./text/chat-template.js");
  return (await loadChatTemplate(directory).catch(() => undefined))?.hasTemplate;
}
