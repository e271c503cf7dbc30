import { createHash } from "node:crypto";
import fs from "node:fs/promises";
import path from "node:path";
import { BUILDER_VERSION } from "../graph-store.js";
import type { WeightPiece } from "./pieces.js";
import type { ConversionSource } from "./source.js";

/** How far a conversion came: its folder may be left by a process that was killed. */
export interface Journal {
  /** Of what is converted, and to what; another key's work is of no use. */
  key: string;
  /** So many pieces, from the first one on, are whole and on the disk. */
  pieces: number;
}

const JOURNAL_FILE = "journal.json";

/** Stands for everything that the bytes of the weights depend on. */
export async function journalKey(
  { directory, weights }: ConversionSource,
  dtype: string,
  pieces: readonly WeightPiece[],
): Promise<string> {
  const files = (await fs.readdir(directory))
    .filter((name) => /\.(json|safetensors|gguf)$/.test(name))
    .sort();
  const states = files.map(async (name) => {
    // A link to a file that is gone is none that the weights came from.
    const state = await fs.stat(path.join(directory, name)).catch(() => undefined);
    return [name, state?.size, state?.mtimeMs];
  });
  const facts = [BUILDER_VERSION, dtype, weights, pieces, await Promise.all(states)];
  return createHash("sha256").update(JSON.stringify(facts)).digest("hex");
}

/** How many pieces of this key stand in the folder; 0 when there is nothing to go on with. */
export async function readJournal(folder: string, key: string): Promise<number> {
  try {
    const journal = JSON.parse(await fs.readFile(path.join(folder, JOURNAL_FILE), "utf8")) as Journal;
    return journal.key === key && Number.isSafeInteger(journal.pieces) ? journal.pieces : 0;
  } catch {
    return 0;
  }
}

/** The pieces must be on the disk before. The file is whole at any moment, also where the machine stops. */
export async function writeJournal(folder: string, journal: Journal): Promise<void> {
  const file = path.join(folder, JOURNAL_FILE);
  await fs.writeFile(`${file}.new`, JSON.stringify(journal), { flush: true });
  await fs.rename(`${file}.new`, file);
}

/** Is there work in the folder that another conversion can go on with? */
export async function hasJournal(folder: string): Promise<boolean> {
  return fs.access(path.join(folder, JOURNAL_FILE)).then(
    () => true,
    () => false,
  );
}

export async function removeJournal(folder: string): Promise<void> {
  await fs.rm(path.join(folder, JOURNAL_FILE), { force: true });
}
