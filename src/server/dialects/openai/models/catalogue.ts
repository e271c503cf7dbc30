import path from "node:path";
import {
  HfmsError,
  type LocalModel,
  type ModelAbilities,
  type RunningModel,
} from "../../../../core/index.js";
import type { ServerContext } from "../../../context.js";
import type { Model } from "./schemas.js";

type Server = Pick<ServerContext, "config" | "engine" | "lifecycle">;

/** What is known of one model that requests may name. */
interface Entry {
  /** As requests name it. */
  id: string;
  /** Hub id, or absolute path. */
  model: string;
  aliases: string[];
  local?: LocalModel;
  running?: RunningModel;
}

/** The models that requests may name: those of the configuration, then those on the disk and in memory, by name. */
export async function listModels(server: Server): Promise<Model[]> {
  return Promise.all((await entries(server)).map((entry) => described(entry, server)));
}

/**
 * The model that a name means: an id, an alias, or a skill that is not here yet. Throws model_not_found for what no
 * request may name, or nobody here knows of.
 */
export async function findModel(name: string, server: Server): Promise<Model & { unload: string }> {
  const all = await entries(server);
  const exact = all.find(({ id, aliases }) => id === name || aliases.includes(name));
  if (exact) return { ...(await described(exact, server)), unload: exact.model };
  const resolved = resolve(name, server);
  const same = all.find(({ model }) => model === resolved.model);
  if (same && server.config.modelAccess !== "listed")
    return { ...(await described(same, server)), unload: same.model };
  if (!resolved.tasks || server.config.modelAccess !== "any") throw notFound(name);
  const { model, aliases, tasks } = resolved;
  return {
    id: model,
    object: "model",
    created: seconds(server.lifecycle.since),
    owned_by: ownerOf(model),
    status: "remote",
    aliases,
    capabilities: capabilitiesOf({ tasks, chatTemplate: false, toolTemplate: false }),
    unload: model,
  };
}

async function entries({ config, engine }: Server): Promise<Entry[]> {
  const [local, running] = await Promise.all([engine.list(), engine.ps()]);
  const found = new Map<string, Entry>();
  const entryOf = (model: string, id = model): Entry => {
    const known = found.get(model) ?? { id, model, aliases: [] };
    found.set(model, known);
    return known;
  };
  for (const name of config.models) {
    const { model, aliases } = engine.resolve({ model: name });
    const listed = config.modelAccess === "listed" || path.isAbsolute(model);
    const entry = entryOf(model, listed ? name : model);
    // Where only the listed names are taken, the others are none.
    const others = config.modelAccess === "listed" ? [] : aliases;
    entry.aliases = [...new Set([...entry.aliases, ...others, name])].filter((alias) => alias !== entry.id);
  }
  const configured = [...found.keys()];
  const open = config.modelAccess !== "listed";
  // A path that is not configured is nobody's business, and nobody could ask for it.
  const named = (model: string): boolean => found.has(model) || (open && !path.isAbsolute(model));
  for (const one of local.filter(({ model }) => named(model))) {
    const entry = entryOf(one.model);
    if (open)
      entry.aliases = [...new Set([...entry.aliases, ...one.aliases])].filter((name) => name !== entry.id);
    // The Hub's copy says more than a package's.
    if (entry.local?.source !== "hub") entry.local = one;
  }
  for (const one of running) {
    const known = engineName(one.model, found);
    if (!known && !named(one.model)) continue;
    const entry = known ?? entryOf(one.model);
    if (entry.running?.state !== "ready") entry.running = one;
  }
  const rest = [...found.keys()].filter((model) => !configured.includes(model)).sort();
  return [...configured, ...rest].map((model) => found.get(model) as Entry);
}

/** While a model is on its way it is known by the name that was asked for. */
function engineName(name: string, found: ReadonlyMap<string, Entry>): Entry | undefined {
  return (
    found.get(name) ?? [...found.values()].find(({ id, aliases }) => id === name || aliases.includes(name))
  );
}

async function described({ id, model, aliases, local, running }: Entry, { engine, lifecycle }: Server) {
  const abilities = local && (await engine.abilities(local));
  const tasks = abilities?.tasks ?? engine.resolve({ model }).tasks ?? [];
  const added = abilities?.added === undefined ? lifecycle.since : Date.parse(abilities.added);
  const dtypes = [...new Set(local?.graphs.map(({ dtype }) => dtype))];
  const known: Model = {
    id,
    object: "model",
    created: seconds(added),
    owned_by: ownerOf(model),
    status: statusOf(running, local),
    aliases,
    capabilities: capabilitiesOf(abilities ?? { tasks, chatTemplate: false, toolTemplate: false }),
    max_model_len: abilities?.contextLength,
    commit: running?.revision ?? local?.revisions.at(-1),
    dtype: running && running.dtype !== "auto" ? running.dtype : dtypes.length === 1 ? dtypes[0] : undefined,
    device: running?.device,
    source: local?.source,
    size: local?.size,
  };
  return known;
}

function statusOf(running: RunningModel | undefined, local: LocalModel | undefined): Model["status"] {
  if (running?.state === "ready" || running?.state === "restarting") return "loaded";
  if (running?.state === "loading") return "loading";
  return local ? "available" : "remote";
}

/** By the Hub's pipeline tag. */
const ofTask: Record<string, Model["capabilities"]> = {
  "text-generation": ["completions"],
  "feature-extraction": ["embeddings"],
  "text-classification": ["classify"],
  "text-ranking": ["rerank"],
};

function capabilitiesOf({ tasks, chatTemplate, toolTemplate }: ModelAbilities): Model["capabilities"] {
  const own = tasks.flatMap((task) => ofTask[task] ?? []);
  if (!own.includes("completions") || !chatTemplate) return own;
  return ["chat", ...own, ...(toolTemplate ? (["tools"] as const) : [])];
}

function ownerOf(model: string): string {
  if (path.isAbsolute(model)) return "local";
  return model.includes("/") ? model.split("/")[0] : "huggingface";
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}

function resolve(name: string, { config, engine }: Server) {
  try {
    return engine.resolve({ model: name, allowPaths: config.models.includes(name) });
  } catch (error) {
    // A name that can't be one is as unknown as any other.
    if (error instanceof HfmsError && error.code === "invalid_request") throw notFound(name);
    throw error;
  }
}

function notFound(name: string): HfmsError {
  return new HfmsError(
    "model_not_found",
    `the model \`${name.slice(0, 200)}\` does not exist on this machine`,
    {
      hint: "/v1/models lists those that do",
      param: "model",
    },
  );
}
