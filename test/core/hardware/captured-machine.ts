import { readFileSync } from "node:fs";
import path from "node:path";
import type { Backend, Machine, OsFacts } from "../../../src/core/hardware/types.js";

const FIXTURES = path.join(import.meta.dirname, "../../fixtures/hardware");

/** Captured output of a tool, or a captured file. */
export function captured(name: string): string {
  return readFileSync(path.join(FIXTURES, name), "utf8");
}

export interface Capture {
  platform?: NodeJS.Platform;
  arch?: string;
  /** Path -> content. Folders follow from the paths. */
  files?: Record<string, string>;
  /** Start of a command line ("nvidia-smi -L") -> what it prints. */
  tools?: Record<string, string>;
  os?: Partial<OsFacts>;
  graphics?: { vendor: string; model: string }[];
  runtimeLibrary?: { version: string; library: string };
  executionProviders?: string[];
  sessionProviders?: string[];
  runtimeDevices?: Awaited<ReturnType<Machine["runtimeDevices"]>>;
}

/** A machine that answers from captured output, and lists the tools that were run. */
export function capturedMachine(capture: Capture = {}): Machine & { ran: string[] } {
  const { files = {}, tools = {} } = capture;
  const ran: string[] = [];
  return {
    ran,
    platform: capture.platform ?? "linux",
    arch: capture.arch ?? "x64",
    async run(command, args) {
      const line = [command, ...args].join(" ");
      ran.push(line);
      return Object.entries(tools).find(([start]) => line.startsWith(start))?.[1];
    },
    readFile: async (file) => files[file],
    async readDir(folder) {
      const names = Object.keys(files)
        .filter((file) => file.startsWith(`${folder}/`))
        .map((file) => file.slice(folder.length + 1).split("/")[0]);
      return [...new Set(names)];
    },
    os: () => ({
      cpuModel: "",
      logicalCores: 8,
      availableParallelism: 8,
      loadAverage: 0,
      memoryTotal: 16 * GiB,
      memoryFree: 10 * GiB,
      ...capture.os,
    }),
    graphics: async () => capture.graphics ?? [],
    runtimeLibrary: async () => capture.runtimeLibrary,
    executionProviders: async () => capture.executionProviders ?? ["CPUExecutionProvider"],
    sessionProviders: async () => capture.sessionProviders ?? ["CPUExecutionProvider"],
    runtimeDevices: async () => capture.runtimeDevices ?? [],
  };
}

export const GiB = 2 ** 30;
export const MiB = 2 ** 20;

/** What a backend sees and says on that machine, and the tools that it ran. */
export async function look(backend: Backend, capture: Capture) {
  const machine = capturedMachine(capture);
  const devices = await backend.detect(machine);
  return { devices, ran: machine.ran, ...(await backend.usable(devices, machine)) };
}
