import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import type { ConversionSource } from "../src/core/convert.js";
import { goldenSource } from "./tiny-model.js";

export interface Edit {
  /** Fields of config.json to change; `undefined` takes one away. */
  config?: Record<string, unknown>;
  /** Files to write whole; `null` removes one. */
  files?: Record<string, string | Uint8Array | null>;
  /** Changes the weight file's bytes. */
  weights?: (bytes: Buffer) => Uint8Array;
  /** Gives a tensor another name of the same length, so that one is missing. */
  renameTensor?: string;
}

/** A copy of a golden with something wrong in it; it goes when the test ends. */
export async function editedGolden(
  name: Parameters<typeof goldenSource>[0],
  { config, files = {}, weights, renameTensor }: Edit = {},
): Promise<ConversionSource> {
  const original = goldenSource(name);
  const directory = await mkdtemp(path.join(os.tmpdir(), "hfms-edited-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  await cp(original.directory, directory, { recursive: true, preserveTimestamps: true });
  const file = (one: string) => path.join(directory, one);
  if (config) {
    const stored = JSON.parse(await readFile(file("config.json"), "utf8"));
    await writeFile(file("config.json"), JSON.stringify({ ...stored, ...config }));
  }
  if (weights) await writeFile(file(original.weights), weights(await readFile(file(original.weights))));
  if (renameTensor) {
    for (const one of (await readdir(directory)).filter((entry) =>
      /\.(safetensors|gguf|index\.json)$/.test(entry),
    )) {
      const text = await readFile(file(one), "latin1");
      const other = renameTensor.replace(/^./, "~");
      await writeFile(file(one), text.replaceAll(renameTensor, other), "latin1");
    }
  }
  for (const [one, content] of Object.entries(files)) {
    if (content === null) await rm(file(one));
    else await writeFile(file(one), content);
  }
  return { ...original, model: `edited/${name}`, directory };
}
