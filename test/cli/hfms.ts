import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll } from "vitest";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const program = path.join(root, "bin/run.js");

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface Options {
  /** What is piped in; without it standard input is empty. */
  input?: string | Uint8Array;
  env?: Record<string, string>;
  cwd?: string;
}

/** A folder of its own for the tests of a file: `home()` is HF_HOME of every run. */
export function temporaryHome(): () => string {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), "hfms-cli-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return () => folder;
}

/** The environment of a program that is tested: offline, and with nothing of this machine's own settings. */
export function testEnvironment(home: string, env: Record<string, string> = {}): NodeJS.ProcessEnv {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) =>
        !/^(HF_|HFMS_|HUGGING|TRANSFORMERS_|NO_COLOR|FORCE_COLOR|COLORTERM|TERM_PROGRAM)|^CI$/.test(name),
    ),
  );
  return { ...clean, HF_HOME: home, HF_HUB_OFFLINE: "1", XDG_CACHE_HOME: path.join(home, ".cache"), ...env };
}

/** Starts the built program and collects what it prints. */
export function hfms(home: string, args: string[], { input, env, cwd }: Options = {}): Promise<Outcome> {
  const child = spawn(process.execPath, [program, ...args], { env: testEnvironment(home, env), cwd });
  child.stdin.on("error", () => {});
  child.stdin.end(input ?? "");
  return outcome(child);
}

export function outcome(child: ReturnType<typeof spawn>): Promise<Outcome> {
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}
