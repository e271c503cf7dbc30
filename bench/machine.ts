import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import os from "node:os";
import type { Engine } from "hfms";

/** Where and with what the numbers were made. */
export interface Machine {
  cpu: string;
  cores: number;
  instructionSets: string[];
  memoryGiB: number;
  os: string;
  node: string;
  onnxruntime: string;
  /** Versions of what hfms was compared with. */
  peers: Record<string, string>;
  /** Runnable processes averaged over a minute, before and after: near 0 and near the threads when nothing else ran. */
  load: { before: number; after: number };
}

export async function describeMachine(engine: Engine, peers: Record<string, string>): Promise<Machine> {
  const { cpu, memory, runtime } = await engine.hardware();
  const load = round(os.loadavg()[0]);
  return {
    cpu: cpu.name,
    cores: os.availableParallelism(),
    instructionSets: cpu.instructionSets,
    memoryGiB: round(memory.total / 2 ** 30),
    os: systemName(),
    node: process.versions.node,
    onnxruntime: runtime.version,
    peers,
    load: { before: load, after: load },
  };
}

/** The commit that was measured; `dirty` when files differed from it. */
export function describeCommit(): { commit: string; dirty: boolean } {
  const git = (...args: string[]): string =>
    execFileSync("git", args, { cwd: import.meta.dirname, encoding: "utf8" }).trim();
  return { commit: git("rev-parse", "HEAD"), dirty: git("status", "--porcelain", "--", "../src") !== "" };
}

export function loadNow(): number {
  return round(os.loadavg()[0]);
}

function systemName(): string {
  try {
    const name = /^PRETTY_NAME="?(.*?)"?$/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
    return `${name ?? os.type()}, kernel ${os.release()}`;
  } catch {
    return `${os.type()} ${os.release()}`;
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
