import { readdir } from "node:fs/promises";

/** What a conversion left below a folder: files of graphs, and folders of unfinished ones. */
export async function graphFiles(folder: string): Promise<string[]> {
  const all = await readdir(folder, { recursive: true }).catch(() => []);
  return all.filter((entry) => /\.(onnx|bin|json|tmp)(\/|$)/.test(entry));
}
