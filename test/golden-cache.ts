import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import path from "node:path";

const goldens = path.join(import.meta.dirname, "golden");

/** The commit that every model of the cache has. */
const commit = "0".repeat(40);

/**
 * Makes a Hub cache whose models are the goldens, as `golden/llama-gqa` and so on:
 * https://huggingface.co/docs/huggingface_hub/guides/manage-cache.
 */
export async function fillCache(cache: string): Promise<void> {
  const folders = await readdir(goldens, { withFileTypes: true });
  for (const { name } of folders.filter((entry) => entry.isDirectory() && entry.name !== "recipes")) {
    await symlink(path.join(goldens, name), await snapshot(cache, name), "dir");
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
