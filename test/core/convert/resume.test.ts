import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, cp, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { WorkSizes } from "../../../src/core/convert/write-weights.js";
import { type ConversionSource, convert } from "../../../src/core/convert.js";
import { graphDirectory } from "../../../src/core/graph-store.js";
import { graphFiles } from "../../graph-files.js";
import { collect, finish, goldenSource } from "../../tiny-model.js";
import { temporaryFolder } from "../hub/sandbox.js";

const llama = goldenSource("llama-gqa");
/** Everything that is done is on the disk at once. */
const small: WorkSizes = { piece: 4096, threads: 2 ** 40, checkpoint: 1 };
const dtype = "int8";

function folderOf(root: string, source: ConversionSource = llama): string {
  return graphDirectory(root, source.model, source.revision, source.weights, dtype);
}

/** The weights that an undisturbed conversion writes. */
async function undisturbed(): Promise<Buffer> {
  const { directory } = await finish(convert(llama, { root: await temporaryFolder(), dtype }));
  return readFile(path.join(directory, "weights.bin"));
}

/** Goes half of the way and leaves: the journal says how far it came. */
async function half(root: string, source: ConversionSource = llama): Promise<number> {
  for await (const { done, total = 0 } of convert(source, { root, dtype, sizes: small }))
    if (total > 0 && done > total / 2) break;
  const journal = JSON.parse(await readFile(`${folderOf(root, source)}.tmp/journal.json`, "utf8"));
  return journal.pieces;
}

/** The bytes that were done when a conversion began, and the weights that came out. */
async function resumed(root: string, source: ConversionSource = llama) {
  const events = await collect(convert(source, { root, dtype, sizes: small }));
  const weights = await readFile(path.join(folderOf(root, source), "weights.bin"));
  return { begun: events[1].done, weights };
}

describe("a conversion that was stopped", () => {
  it("is gone on with, and comes to the same bytes", async () => {
    const root = await temporaryFolder();
    expect(await half(root)).toBeGreaterThan(3);
    const { begun, weights } = await resumed(root);
    expect(begun).toBeGreaterThan(weights.length / 4);
    expect(weights.equals(await undisturbed())).toBe(true);
    expect((await graphFiles(root)).filter((file) => /tmp|journal/.test(file))).toEqual([]);
  });

  it("by its signal is gone on with, too", async () => {
    const root = await temporaryFolder();
    const controller = new AbortController();
    const run = (async () => {
      const options = { root, dtype, sizes: small, signal: controller.signal } as const;
      for await (const { done, total = 0 } of convert(llama, options))
        if (total > 0 && done > total / 2) controller.abort();
    })();
    await expect(run).rejects.toMatchObject({ code: "aborted" });
    const { begun, weights } = await resumed(root);
    expect(begun).toBeGreaterThan(0);
    expect(weights.equals(await undisturbed())).toBe(true);
  });

  it("by kill -9 leaves nothing broken, and is gone on with", async () => {
    const root = await temporaryFolder();
    const program = `
      import { access } from "node:fs/promises";
      import { setTimeout as pause } from "node:timers/promises";
      import { convert } from "./dist/core/convert.js";
      const journal = ${JSON.stringify(`${folderOf(root)}.tmp/journal.json`)};
      const there = () => access(journal).then(() => true, () => false);
      // One thread: of two, the one with the first piece may be the last to come, and the journal waits for it.
      const options = { root: ${JSON.stringify(root)}, dtype: "${dtype}", threads: 1, sizes: ${JSON.stringify({ ...small, threads: 0 })} };
      for await (const { done, total = 0 } of convert(${JSON.stringify(llama)}, options)) {
        if (total === 0 || done < total / 4) continue;
        // The journal follows the work: either soon, or with one of the next steps.
        for (let tries = 0; tries < 4 && !(await there()); tries++) await pause(5);
        if (!(await there())) continue;
        console.log("begun");
        await pause(60_000);
      }
    `;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    const ended = once(child, "exit");
    const first = await Promise.race([once(child.stdout, "data"), ended]);
    expect(String(first[0])).toContain("begun");
    child.kill("SIGKILL");
    await ended;
    const left = await graphFiles(root);
    expect(left.every((file) => file.includes(".tmp"))).toBe(true);
    // Nobody keeps it fresh any more; it would count as free in a few seconds.
    await rm(`${folderOf(root)}.lock`, { recursive: true });
    const { begun, weights } = await resumed(root);
    expect(begun).toBeGreaterThan(0);
    expect(weights.equals(await undisturbed())).toBe(true);
  });

  it.each<[string, (directory: string, tmp: string) => Promise<void>]>([
    [
      "weights were changed",
      async (directory) => {
        const later = new Date(Date.now() + 5000);
        await utimes(path.join(directory, "model.safetensors"), later, later);
      },
    ],
    ["configuration was changed", (directory) => appendFile(path.join(directory, "config.json"), "\n")],
    ["journal is damaged", (_, tmp) => writeFile(path.join(tmp, "journal.json"), "{")],
    ["unfinished weights are gone", (_, tmp) => rm(path.join(tmp, "weights.bin"))],
  ])("begins anew where its %s", async (_, change) => {
    const directory = await temporaryFolder();
    await cp(llama.directory, directory, { recursive: true });
    const source = { ...llama, directory };
    const root = await temporaryFolder();
    await half(root, source);
    await change(directory, `${folderOf(root, source)}.tmp`);
    const { begun, weights } = await resumed(root, source);
    expect(begun).toBe(0);
    expect(weights.equals(await undisturbed())).toBe(true);
  });

  it("for other numbers leaves what stands there alone", async () => {
    const root = await temporaryFolder();
    await half(root);
    await finish(convert(llama, { root, dtype: "int4" }));
    expect((await stat(`${folderOf(root)}.tmp`)).isDirectory()).toBe(true);
  });
});
