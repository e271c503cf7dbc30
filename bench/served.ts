import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";

/** A server in a process of its own, that is ready. */
export interface Served extends AsyncDisposable {
  url: string;
  pid: number;
}

const program = path.join(import.meta.dirname, "..", "bin", "run.js");

export interface ServeOptions {
  models: string[];
  threads: number;
  /** Further flags of `hfms serve`. */
  flags?: string[];
  /** Of the server's process: `--cpu-prof` and the like. */
  execArgv?: string[];
  env?: Record<string, string>;
}

/** `hfms serve` on a free port, as its users start it. */
export async function startHfms({
  models,
  threads,
  flags = [],
  execArgv = [],
  env,
}: ServeOptions): Promise<Served> {
  const args = [
    ...execArgv,
    program,
    "serve",
    ...models,
    "--port",
    "0",
    "--json",
    "--log-level",
    "warn",
    ...flags,
  ];
  const child = spawn(process.execPath, args, {
    env: { ...process.env, HFMS_THREADS: String(threads), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const failed = failure(child, `hfms ${args.join(" ")}`);
  let said = "";
  child.stdout!.setEncoding("utf8");
  while (!said.includes("\n")) said += (await Promise.race([once(child.stdout!, "data"), failed]))[0];
  const { url } = JSON.parse(said) as { url: string };
  return started(child, url, "/ready", failed);
}

/** Another program that listens on `url`, and answers `ready` with 200 when it can work. */
export async function startOther(file: string, args: string[], url: string, ready: string): Promise<Served> {
  const child = spawn(file, args, { stdio: ["ignore", "ignore", "pipe"] });
  return started(child, url, ready, failure(child, file));
}

async function started(
  child: ChildProcess,
  url: string,
  ready: string,
  failed: Promise<never>,
): Promise<Served> {
  for (;;) {
    const response = await Promise.race([fetch(url + ready).catch(() => undefined), failed]);
    if (response?.ok) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    url,
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      await once(child, "exit");
    },
  };
}

/** Rejects when the process ends before it was told to, with the end of what it said. */
function failure(child: ChildProcess, what: string): Promise<never> {
  let complaint = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    complaint = (complaint + text).slice(-4000);
  });
  const failed = new Promise<never>((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) =>
      reject(new Error(`${what} ended with ${code ?? signal}: ${complaint}`)),
    );
  });
  failed.catch(() => {});
  return failed;
}
