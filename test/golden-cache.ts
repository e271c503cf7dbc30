import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";

const goldens = path.join(import.meta.dirname, "golden");

/** Folders that are no models. */
const groups = new Set(["recipes", "model-types", "pipelines"]);

/** The commit that every model of the cache has. */
const commit = "0".repeat(40);

/**
 * Makes a Hub cache whose models are the goldens, as `golden/llama-gqa` and so on:
 * https://huggingface.co/docs/huggingface_hub/guides/manage-cache.
 */
export async function fillCache(cache: string): Promise<void> {
  for (const folder of [goldens, path.join(goldens, "pipelines")]) {
    const entries = await readdir(folder, { withFileTypes: true });
    for (const { name } of entries.filter((entry) => entry.isDirectory() && !groups.has(entry.name))) {
      await symlink(path.join(folder, name), await snapshot(cache, name), "dir");
    }
  }
}

/** Where the files of another `golden/<name>` belong. The folder above it is made. */
export async function snapshot(cache: string, name: string): Promise<string> {
  const repository = path.join(cache, `models--golden--${name}`);
  await mkdir(path.join(repository, "refs"), { recursive: true });
  await mkdir(path.join(repository, "snapshots"));
  await writeFile(path.join(repository, "refs", "main"), commit);
  return path.join(repository, "snapshots", commit);
}
