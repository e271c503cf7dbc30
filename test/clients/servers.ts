import { spawn } from "node:child_process";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fillCache, snapshot } from "../golden-cache.ts";

/** What the clients get to know, as variables of their environment. */
export interface Served {
  HFMS_BASE_URL: string;
  HFMS_CHAT_MODEL: string;
  HFMS_EMBED_MODEL: string;
  /** Of a server that wants a key, and lets nobody wait for a model. */
  HFMS_GUARDED_BASE_URL: string;
  /** It may ask models, and manage nothing. */
  HFMS_KEY: string;
}

export interface Servers extends AsyncDisposable {
  served: Served;
}

export interface ServersOptions {
  /** An HF_HOME with real models; without it there are tiny ones. */
  home?: string;
  chat?: string;
  embed?: string;
}

const program = path.resolve(import.meta.dirname, "../../bin/dev.js");

/** Two of `hfms serve`, on free ports of this machine. */
export async function startServers({
  home,
  chat = home ? "smollm2" : "golden/llama-long",
  embed = home ? "minilm" : "golden/bert-mean",
}: ServersOptions): Promise<Servers> {
  await using started = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(os.tmpdir(), "hfms-clients-"));
  started.defer(() => rm(folder, { recursive: true, force: true }));
  if (!home) await fillTinyCache(path.join(folder, "hub"));
  const env = { ...process.env, HF_HOME: home ?? folder, HF_HUB_OFFLINE: "1" };
  const keyFile = ["--key-file", path.join(folder, "keys.json")];
  const { said: made } = await firstWord(["keys", "create", "--name", "reader", ...keyFile], env);
  const open = await serve(["--key-file", path.join(folder, "none.json")], env);
  started.use(open);
  const guarded = await serve([...keyFile, "--load-timeout", "1ms"], env);
  started.use(guarded);
  const stack = started.move();
  return {
    served: {
      HFMS_BASE_URL: `${open.url}/v1`,
      HFMS_CHAT_MODEL: chat,
      HFMS_EMBED_MODEL: embed,
      HFMS_GUARDED_BASE_URL: `${guarded.url}/v1`,
      HFMS_KEY: made.key,
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The goldens, and one with room for what clients write into prompts. */
async function fillTinyCache(cache: string): Promise<void> {
  await fillCache(cache);
  const long = await snapshot(cache, "llama-long");
  await cp(path.join(import.meta.dirname, "../golden/llama-gqa"), long, { recursive: true });
  const file = path.join(long, "config.json");
  const config = JSON.parse(await readFile(file, "utf8"));
  await writeFile(file, JSON.stringify({ ...config, max_position_embeddings: 4096 }));
}

async function serve(args: string[], env: NodeJS.ProcessEnv): Promise<AsyncDisposable & { url: string }> {
  const started = await firstWord(["serve", "--port", "0", "--log-level", "silent", "--quiet", ...args], env);
  return {
    url: started.said.url,
    async [Symbol.asyncDispose]() {
      started.child.kill();
      await started.ended;
    },
  };
}

/** Runs hfms until it has printed its first document. */
async function firstWord(args: string[], env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, [program, ...args, "--json"], {
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => resolve());
  });
  let text = "";
  for await (const line of createInterface({ input: child.stdout })) {
    text += line;
    const said = parsed(text);
    if (said) return { said, child, ended };
  }
  await ended;
  throw new Error(`hfms ${args[0]} ended before it said anything`);
}

function parsed(text: string): Record<string, string> | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
