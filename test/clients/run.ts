import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { type Served, startServers } from "./servers.ts";
import { snippet } from "./snippets.ts";

/*
 * Clients of OpenAI's API that people use, against `hfms serve`: `npm run test:clients`. Each has its packages in a folder
 * of its own, which are installed the first time. Some of them alone, or real models:
 *
 *   npm run test:clients -- langchain litellm
 *   npm run test:clients -- --home ~/.cache/huggingface --chat smollm2 --embed minilm
 *
 * After a change to a requirements.in, in its folder:
 *
 *   uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
 *     requirements.in -o requirements.txt
 */
const here = import.meta.dirname;
const node = path.join(here, "node");

interface Client {
  folder: string;
  install(client: Client): void;
  /** Runs its tests. */
  tests?(client: Client): string[];
  /** Runs a program that is given as text. */
  program(client: Client): string[];
  /** What its program in docs/api.md imports. */
  specifier: string;
  language: "js" | "py";
}

const ofNode = {
  folder: node,
  install: npmCi,
  program: () => [process.execPath, "--input-type=module", "-e"],
  language: "js",
} as const;

const ofPython = (name: string, specifier: string): Client => ({
  folder: path.join(here, name),
  install: pipInstall,
  tests: pytest,
  program: ({ folder }) => [python(folder), "-c"],
  specifier,
  language: "py",
});

const clients: Record<string, Client> = {
  // Its tests are among those of `npm test`.
  "openai-node": { ...ofNode, specifier: "openai" },
  langchain: { ...ofNode, tests: () => nodeTest("langchain.test.mjs"), specifier: "@langchain/openai" },
  "ai-sdk": { ...ofNode, tests: () => nodeTest("ai-sdk.test.mjs"), specifier: "ai" },
  "openai-python": ofPython("openai-python", "openai"),
  "llama-index": ofPython("llama-index", "llama_index.llms.openai_like"),
  litellm: ofPython("litellm", "litellm"),
};

/** Of the locks: older ones have no wheels for it. */
const OLDEST_PYTHON = [3, 11];

/** LiteLLM asks another host for the prices of models when it is imported. */
const offline = { LITELLM_LOCAL_MODEL_COST_MAP: "True" };

/** Something that this machine lacks. */
class Missing extends Error {}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { home: { type: "string" }, chat: { type: "string" }, embed: { type: "string" } },
});
const unknown = positionals.find((name) => !Object.hasOwn(clients, name));
if (unknown) {
  process.stderr.write(`"${unknown}" is none of ${Object.keys(clients).join(", ")}\n`);
  process.exit(2);
}

const names = positionals.length > 0 ? positionals : Object.keys(clients);
await using servers = await startServers(values);
const results = names.map((name) => [name, tested(name, servers.served)] as const);
say("\nclients of hfms serve");
for (const [name, result] of results) say(`  ${name.padEnd(14)} ${result}`);
if (results.some(([, result]) => result !== "passed")) process.exitCode = 1;

function tested(name: string, served: Served): string {
  const client = clients[name];
  say(`\n== ${name}`);
  try {
    client.install(client);
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    say(error.message);
    return `not run: ${error.message}`;
  }
  // What the machine's owner has set for these clients must not lead them elsewhere.
  const own = Object.entries(process.env).filter(
    ([key]) => !/^(OPENAI|LITELLM|LANGCHAIN|LANGSMITH)_/.test(key),
  );
  const env = { ...Object.fromEntries(own), ...served, PYTHONDONTWRITEBYTECODE: "1", ...offline };
  const passes = ([program, ...args]: string[]) =>
    spawnSync(program, args, { cwd: client.folder, env, stdio: "inherit" }).status === 0;
  if (client.tests && !passes(client.tests(client))) return "failed";
  say("-- its program in docs/api.md");
  const code = snippet(client.language, client.specifier, served);
  if (!passes([...client.program(client), code])) return "failed: its program in docs/api.md";
  return "passed";
}

function nodeTest(file: string): string[] {
  return [process.execPath, "--test", "--test-reporter=spec", file];
}

function pytest({ folder }: Client): string[] {
  return [python(folder), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--disable-warnings"];
}

function npmCi({ folder }: Client): void {
  once(path.join(folder, "node_modules"), path.join(folder, "package-lock.json"), () =>
    installed("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], folder),
  );
}

function pipInstall({ folder }: Client): void {
  const [major, minor] = pythonVersion();
  if (major < OLDEST_PYTHON[0] || (major === OLDEST_PYTHON[0] && minor < OLDEST_PYTHON[1]))
    throw new Missing(`python3 is ${major}.${minor}, and ${OLDEST_PYTHON.join(".")} is needed`);
  const venv = path.join(folder, ".venv");
  const lock = path.join(folder, "requirements.txt");
  once(venv, lock, () => {
    rmSync(venv, { recursive: true, force: true });
    const made = spawnSync("python3", ["-m", "venv", venv], { encoding: "utf8" });
    if (made.status !== 0) throw new Missing(`python3 can't make a virtual environment: ${reason(made)}`);
    const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"];
    installed(python(folder), [...pip, "-r", lock], folder);
  });
}

function pythonVersion(): number[] {
  const { error, stdout } = spawnSync("python3", ["--version"], { encoding: "utf8" });
  if (error) throw new Missing(`python3 is not installed; ${OLDEST_PYTHON.join(".")} or later is needed`);
  return (/(\d+)\.(\d+)/.exec(stdout) ?? []).slice(1).map(Number);
}

function python(folder: string): string {
  return path.join(folder, ".venv", "bin", "python");
}

/** Does the work unless it was done for this very lock. */
function once(folder: string, lock: string, work: () => void): void {
  const stamp = path.join(folder, ".hfms-lock");
  const wanted = createHash("sha256").update(readFileSync(lock)).digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  say("installing its packages");
  work();
  writeFileSync(stamp, wanted);
}

function installed(program: string, args: string[], cwd: string): void {
  const done = spawnSync(program, args, { cwd, encoding: "utf8" });
  if (done.status === 0) return;
  process.stderr.write(done.stderr ?? "");
  const why = done.error ? `${program} is not installed` : reason(done);
  throw new Missing(`its packages can't be installed: ${why}. Is a package registry within reach?`);
}

/** Of what npm and pip say, the first error is the reason. */
function reason({ stderr, stdout }: { stderr: string; stdout: string }): string {
  const lines = [stderr, stdout].flatMap((text) => text.trim().split("\n"));
  return lines.find((line) => /error/i.test(line)) ?? lines[0];
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
