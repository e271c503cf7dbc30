import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Config } from "../config.js";
import type { HardwareReport } from "../hardware/types.js";
import type { BenchMachine, BenchResult } from "./result.js";

const GIT_TIMEOUT_MS = 5000;
const root = fileURLToPath(new URL("../../..", import.meta.url));

/** Where and with what numbers are made. */
export async function describeMachine(
  { cpu, memory, runtime, backends, platform, arch }: HardwareReport,
  { threads = os.availableParallelism() }: Pick<Config, "threads">,
): Promise<{ machine: BenchMachine; runtime: BenchResult["runtime"] }> {
  return {
    machine: {
      cpu: cpu.name,
      cores: cpu.cores,
      threads,
      instruction_sets: cpu.instructionSets,
      memory_bytes: memory.total,
      os: await systemName(),
      platform,
      arch,
      gpus: [
        ...new Set(
          backends.flatMap(({ devices }) =>
            devices.filter(({ kind }) => kind === "gpu").map(({ name }) => name),
          ),
        ),
      ],
    },
    runtime: { name: runtime.name, version: runtime.version },
  };
}

/** hfms' version, and its commit where it runs in its own repository. */
export async function describeVersion(): Promise<BenchResult["hfms"]> {
  const { version } = JSON.parse(await readFile(path.join(root, "package.json"), "utf8")) as {
    version: string;
  };
  if (!existsSync(path.join(root, ".git"))) return { version };
  const git = async (...args: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)("git", args, {
      cwd: root,
      timeout: GIT_TIMEOUT_MS,
      windowsHide: true,
    });
    return stdout.trim();
  };
  try {
    const commit = await git("rev-parse", "HEAD");
    return { version, commit, changed: (await git("status", "--porcelain", "--", "src")) !== "" };
  } catch {
    return { version };
  }
}

/** Runnable processes averaged over a minute; undefined where the system has no such number. */
export function loadAverage(): number | undefined {
  return process.platform === "win32" ? undefined : Math.round(100 * os.loadavg()[0]) / 100;
}

/** "Debian GNU/Linux 12 (bookworm), kernel 6.1.0"; elsewhere what the system calls itself. */
async function systemName(): Promise<string> {
  const release = await readFile("/etc/os-release", "utf8").catch(() => "");
  const name = /^PRETTY_NAME="?(.*?)"?$/m.exec(release)?.[1];
  return name ? `${name}, kernel ${os.release()}` : `${os.type()} ${os.release()}`;
}
