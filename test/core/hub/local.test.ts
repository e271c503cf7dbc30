import { mkdir, symlink, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { fetchModel, resolveRepository } from "../../../src/core/hub/index.js";
import { collect, configFor, temporaryFolder } from "./sandbox.js";

async function folder(): Promise<string> {
  const directory = await temporaryFolder();
  await mkdir(path.join(directory, "1_Pooling"));
  await mkdir(path.join(directory, ".git"));
  await writeFile(path.join(directory, "config.json"), "{}");
  await writeFile(path.join(directory, "model.safetensors"), "weights");
  await writeFile(path.join(directory, "1_Pooling", "config.json"), "{}");
  await writeFile(path.join(directory, ".git", "HEAD"), "x");
  return directory;
}

const config = configFor("/nowhere", "http://127.0.0.1:9", { offline: true });
const resolve = (id: string) => resolveRepository({ id }, { config });

describe("a folder in Hub layout", () => {
  it("is used where it is", async () => {
    const directory = await folder();
    const repository = await resolve(directory);
    expect(repository).toMatchObject({
      id: directory,
      source: "local",
      directory,
      revision: expect.stringMatching(/^[0-9a-f]{40}$/),
      files: [
        { path: "1_Pooling/config.json", size: 2, cached: true },
        { path: "config.json", size: 2, cached: true },
        { path: "model.safetensors", size: 7, cached: true },
      ],
    });
    expect(await collect(fetchModel(repository, { config }))).toEqual({ progress: [], notices: [] });
  });

  it("gets another revision when a file changes, and only then", async () => {
    const directory = await folder();
    const { revision } = await resolve(directory);
    expect((await resolve(directory)).revision).toBe(revision);
    const file = path.join(directory, "model.safetensors");
    await utimes(file, new Date(1e12), new Date(1e12));
    const touched = (await resolve(directory)).revision;
    expect(touched).not.toBe(revision);
    await writeFile(path.join(directory, "config.json"), "[]");
    expect((await resolve(directory)).revision).not.toBe(touched);
  });

  it("may be made of links, as a snapshot is", async () => {
    const directory = await folder();
    const snapshot = await temporaryFolder();
    for (const file of ["config.json", "model.safetensors"]) {
      await symlink(path.join(directory, file), path.join(snapshot, file));
    }
    expect((await resolve(snapshot)).files.map((file) => file.path)).toEqual([
      "config.json",
      "model.safetensors",
    ]);
  });
});

describe("a GGUF file", () => {
  it("stands alone", async () => {
    const directory = await folder();
    const file = path.join(directory, "tiny.Q8_0.gguf");
    await writeFile(file, "GGUF");
    expect(await resolve(file)).toMatchObject({
      directory,
      files: [{ path: "tiny.Q8_0.gguf", size: 4, cached: true }],
    });
  });
});

describe("a part of a split GGUF model", () => {
  const parts = [1, 2, 3].map((part) => `tiny-Q8_0-0000${part}-of-00003.gguf`);

  it("stands for all of them", async () => {
    const directory = await folder();
    for (const part of parts) await writeFile(path.join(directory, part), "GGUF");
    for (const part of parts) {
      const { files, id } = await resolve(path.join(directory, part));
      expect(files.map((file) => file.path)).toEqual(parts);
      expect(id).toBe(path.join(directory, parts[0]));
    }
  });

  it("is refused where another one is missing, by its name", async () => {
    const directory = await folder();
    for (const part of parts.slice(1)) await writeFile(path.join(directory, part), "GGUF");
    await expect(resolve(path.join(directory, parts[1]))).rejects.toMatchObject({
      code: "corrupt_file",
      message: expect.stringContaining(parts[0]),
    });
  });
});

describe("a path that can't be a model", () => {
  it("is named", async () => {
    const missing = path.join(await temporaryFolder(), "nothing");
    await expect(resolve(missing)).rejects.toMatchObject({
      code: "model_not_found",
      message: `no such file or folder: ${missing}`,
    });
    const file = path.join(await folder(), "model.safetensors");
    await expect(resolve(file)).rejects.toMatchObject({
      code: "unsupported_model",
      message: `${file} is neither a folder nor a .gguf file`,
    });
  });
});
