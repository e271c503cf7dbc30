import type { Config } from "./config.js";
import type { FetchedModel } from "./hub/index.js";
import type { ModelPool } from "./model-pool.js";
import type { NoticeEvent, PullEvent, PullRequest } from "./requests.js";

/** `plan`, progress, then `done` when every file is verified and in place (and the graph built, with a dtype). */
export async function* pull(
  models: ModelPool,
  config: Config,
  request: PullRequest,
  signal?: AbortSignal,
): AsyncGenerator<PullEvent> {
  const { fetchModel, planFiles, resolveRepository } = await import("./hub/index.js");
  const notices: NoticeEvent[] = [];
  const repository = await resolveRepository(
    models.modelRef(request),
    { config, source: request.source, signal, refresh: true },
    (notice) => notices.push(notice),
  );
  yield* notices;
  const needed = new Set((await planFiles(repository)).files);
  const files = repository.files.filter((file) => needed.has(file.path));
  const { id: model, source, revision } = repository;
  yield { type: "plan", model, source, revision, files };
  if (request.dryRun) return;

  yield* models.checkArchitecture(repository, signal);
  let fetched: FetchedModel;
  if (request.dtype) ({ fetched } = yield* models.build(repository, request.dtype, signal));
  else fetched = yield* fetchModel(repository, { config, signal });
  const brought = new Set(fetched.files);
  const done = fetched.repository.files
    .filter((file) => brought.has(file.path))
    .map(({ path, size }) => ({ path, size }));
  yield {
    type: "done",
    model,
    source,
    revision,
    directory: fetched.directory,
    files: done,
    bytes: done.reduce((sum, file) => sum + file.size, 0),
  };
}
