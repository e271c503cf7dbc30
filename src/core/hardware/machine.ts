import { readdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import type { Machine } from "./types.js";

/** A vendor tool that hangs (a dead driver does that to it) must not hold up the answer. */
const TOOL_TIMEOUT_MS = 1500;
const HUNG_PAUSE_MS = 10_000;
/** `nvidia-smi -q -x` of a full server is under 1 MB. */
const MAX_TOOL_OUTPUT_BYTES = 8_000_000;

export interface MachineOptions extends Pick<Machine, "executionProviders" | "runtimeDevices"> {
  /** Providers that the runtime part opens sessions on. Default: the processor's only. */
  sessionProviders?: Machine["sessionProviders"];
  runtimeLibrary?: Machine["runtimeLibrary"];
}

/** The machine under this process. */
export function createMachine(options: MachineOptions): Machine {
  const hung = new Map<string, number>();
  return {
    platform: process.platform,
    arch: process.arch,
    run: (command, args) => runTool(command, args, hung),
    readFile: (file) => readFile(file, "utf8").catch(() => undefined),
    readDir: (folder) => readdir(folder).catch(() => []),
    os: () => ({
      cpuModel: os.cpus()[0]?.model.trim() ?? "",
      logicalCores: os.cpus().length,
      availableParallelism: os.availableParallelism(),
      loadAverage: os.loadavg()[0],
      memoryTotal: os.totalmem(),
      memoryFree: os.freemem(),
    }),
    graphics: readGraphics,
    runtimeLibrary: options.runtimeLibrary ?? findRuntimeLibrary,
    executionProviders: () => options.executionProviders().catch(() => []),
    sessionProviders: options.sessionProviders ?? (async () => ["CPUExecutionProvider"]),
    runtimeDevices: () => options.runtimeDevices().catch(() => []),
  };
}

/**
 * The same machine asked only once for each thing: several backends look at the same files and tools. For the length
 * of one report, because free memory and load change.
 */
export function rememberAnswers(machine: Machine): Machine {
  const answers = new Map<string, unknown>();
  const once =
    <A extends unknown[], R>(name: string, ask: (...args: A) => R) =>
    (...args: A): R => {
      const key = JSON.stringify([name, ...args]);
      if (!answers.has(key)) answers.set(key, ask(...args));
      return answers.get(key) as R;
    };
  return {
    platform: machine.platform,
    arch: machine.arch,
    run: once("run", (command, args) => machine.run(command, args)),
    readFile: once("readFile", (file) => machine.readFile(file)),
    readDir: once("readDir", (folder) => machine.readDir(folder)),
    os: once("os", () => machine.os()),
    graphics: once("graphics", () => machine.graphics()),
    runtimeLibrary: once("runtimeLibrary", () => machine.runtimeLibrary()),
    executionProviders: once("executionProviders", () => machine.executionProviders()),
    sessionProviders: once("sessionProviders", () => machine.sessionProviders()),
    runtimeDevices: once("runtimeDevices", () => machine.runtimeDevices()),
  };
}

/**
 * A tool that hung hangs again: another question would double the wait, so for a while it is not asked. Not for ever,
 * because a driver that wakes its cards for the first question answers the next ones quickly.
 */
async function runTool(
  command: string,
  args: string[],
  hung: Map<string, number>,
): Promise<string | undefined> {
  const tool = path.basename(command);
  if ((hung.get(tool) ?? Number.NEGATIVE_INFINITY) > performance.now() - HUNG_PAUSE_MS) return undefined;
  const { execFile } = await import("node:child_process");
  return new Promise((resolve) => {
    const child = execFile(
      command,
      args,
      {
        timeout: TOOL_TIMEOUT_MS,
        killSignal: "SIGKILL",
        maxBuffer: MAX_TOOL_OUTPUT_BYTES,
        windowsHide: true,
        encoding: "utf8",
      },
      (error, stdout) => {
        clearTimeout(abandon);
        if (error?.killed) hung.set(tool, performance.now());
        resolve(error ? undefined : stdout);
      },
    );
    // A tool stuck in the kernel outlives SIGKILL; without this its pipes would keep the whole program from ending.
    const abandon = setTimeout(() => {
      child.stdin?.destroy();
      child.stdout?.destroy();
      child.stderr?.destroy();
      child.unref();
      hung.set(tool, performance.now());
      resolve(undefined);
    }, TOOL_TIMEOUT_MS + 200);
  });
}

async function readGraphics(): ReturnType<Machine["graphics"]> {
  try {
    const { default: systeminformation } = await import("systeminformation");
    const { controllers } = await systeminformation.graphics();
    return controllers.map(({ vendor, model }) => ({ vendor: vendor ?? "", model: model ?? "" }));
  } catch {
    return [];
  }
}

/** The library that the onnxruntime-node package carries for this platform (it has none for macOS on Intel). */
async function findRuntimeLibrary(): ReturnType<Machine["runtimeLibrary"]> {
  try {
    const manifest = createRequire(import.meta.url).resolve("onnxruntime-node/package.json");
    const { version } = JSON.parse(await readFile(manifest, "utf8")) as { version: string };
    const folder = path.join(path.dirname(manifest), "bin", "napi-v6", process.platform, process.arch);
    const file = (await readdir(folder)).find((name) =>
      /^(libonnxruntime\.so(\.\d+)*|libonnxruntime(\.\d+)*\.dylib|onnxruntime\.dll)$/.test(name),
    );
    return file === undefined ? undefined : { version, library: path.join(folder, file) };
  } catch {
    return undefined;
  }
}
