import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll } from "vitest";
import { Engine, type EngineOptions } from "../../src/core/engine.js";
import { readConfig } from "../../src/core/index.js";
import { presetConfig } from "../../src/server/config/presets.js";
import { type RunningServer, type ServeOptions, type ServerConfig, serve } from "../../src/server/index.js";
import { fillCache } from "../golden-cache.js";

/** A server of its own for the tests of one file, and what talks to it. */
export interface Serving {
  readonly url: string;
  readonly running: RunningServer;
  readonly engine: Engine;
  /** The official client. It does not try again unless the test says so. */
  client(options?: ConstructorParameters<typeof OpenAI>[0]): OpenAI;
  /** Any request, to a path. */
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** POST of a JSON body. */
  post(path: string, body: unknown, init?: RequestInit): Promise<Response>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ServingOptions extends ServeOptions, EngineOptions {
  config?: Partial<ServerConfig>;
  /** Of the engine: HFMS_… */
  env?: Record<string, string>;
}

/** Starts a server on a free port. Its Hub cache holds the goldens, as `golden/llama-gqa` and so on. */
export async function serving({ config, env, isolation, ...options }: ServingOptions = {}): Promise<Serving> {
  const home = await mkdtemp(path.join(os.tmpdir(), "hfms-server-"));
  await fillCache(path.join(home, "hub"));
  const engine = await Engine.open(readConfig({ HF_HOME: home, HF_HUB_OFFLINE: "1", ...env }), { isolation });
  const running = await serve(engine, { ...presetConfig("test"), logLevel: "silent", ...config }, options);
  const fetchFrom: Serving["fetch"] = (path, init) => fetch(new URL(path, running.url), init);
  return {
    url: running.url,
    running,
    engine,
    client: (more) => new OpenAI({ apiKey: "none", baseURL: `${running.url}/v1`, maxRetries: 0, ...more }),
    fetch: fetchFrom,
    post: (path, body, init) =>
      fetchFrom(path, {
        method: "POST",
        body: JSON.stringify(body),
        ...init,
        headers: { "content-type": "application/json", ...init?.headers },
      }),
    async [Symbol.asyncDispose]() {
      await running.close();
      await engine[Symbol.asyncDispose]();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** One server for all tests of a file. */
export function sharedServing(options?: ServingOptions): () => Serving {
  let server: Serving;
  beforeAll(async () => {
    server = await serving(options);
  });
  afterAll(() => server?.[Symbol.asyncDispose]());
  return () => server;
}
