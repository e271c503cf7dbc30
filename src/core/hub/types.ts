import type { NoticeEvent, ProgressEvent, RepoFile, SourceName } from "../requests.js";

/**
 * A source brings the files of a model to this machine: one file of this folder each, listed in index.ts. All of them
 * write below the same roots, verify what they write, and leave nothing that looks complete when they fail.
 */
export interface Source {
  name: SourceName;
  /** Lists what there is without transferring weights. Throws model_not_found, gated_model, hub_unreachable, … */
  resolve(ref: ModelRef, signal?: AbortSignal): Promise<Repository>;
  /** Brings the named files; progress is in bytes over all files. Ends when every file is verified and in place. */
  fetch(
    repository: Repository,
    files: string[],
    signal?: AbortSignal,
  ): AsyncIterable<ProgressEvent | NoticeEvent>;
}

/** What a user's model name means once skills and aliases are resolved. */
export interface ModelRef {
  /** Hub id `org/name` (or `gpt2`), or an absolute path for `local`. */
  id: string;
  /** Branch, tag or commit; default `main`. */
  revision?: string;
  /** Which GGUF of the repository: `Q8_0`. Also as a suffix of the id: `org/name:Q8_0`. */
  quant?: string;
  /** Packages of other registries that carry the same model, in order of preference. */
  packages?: PackageRef[];
}

/** A model that is also published as a package: pinned by version and sha256 of the archive. */
export interface PackageRef {
  registry: "pypi";
  name: string;
  version: string;
  /** sha256 of the wheel, hex. */
  sha256: string;
  /** Folder or file inside the archive that holds the model. */
  path: string;
  /** Bytes of the archive, for progress. */
  size?: number;
}

/** A resolved repository: its commit is fixed, its files are known, some are perhaps on disk already. */
export interface Repository {
  id: string;
  source: SourceName;
  /** Commit sha on the Hub; a content key for local folders; `<name>-<version>` for packages. */
  revision: string;
  /** Folder in Hub layout (a snapshot); files may be missing until fetched. */
  directory: string;
  /** Branch or tag that the commit was resolved from; refs/ learns it when the files are in place. */
  ref?: string;
  /** Which GGUF was asked for. */
  quant?: string;
  /** The package that carries the model, when the source is `package`. */
  package?: PackageRef;
  files: (RepoFile & { cached: boolean })[];
}
