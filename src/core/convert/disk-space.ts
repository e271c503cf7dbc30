import fs from "node:fs/promises";
import path from "node:path";
import { HfmsError } from "../errors.js";

/** Graphs, tokenizer and manifest beside the weights. */
const BESIDE_BYTES = 16e6;

/** Throws disk_full where the weights file, of which a part may be there, will not fit beside everything else. */
export async function requireSpace(file: string, size: number, model: string): Promise<void> {
  const { blocks: written } = await fs.stat(file);
  const needed = size - Math.min(size, written * 512) + (size > BESIDE_BYTES ? BESIDE_BYTES : 0);
  const disk = await fs.statfs(path.dirname(file));
  const free = disk.bavail * disk.bsize;
  // A file system that says nothing of its size has no blocks.
  if (disk.blocks === 0 || free >= needed) return;
  throw new HfmsError(
    "disk_full",
    `the graph of ${model} needs ${inUnits(needed)} more on the disk, and ${inUnits(free)} are free`,
    {
      hint: "free some space (`hfms list` shows what the models take, `hfms rm` removes one) or set HF_HOME to another disk",
    },
  );
}

function inUnits(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.ceil(bytes / 1e6)} MB`;
}
