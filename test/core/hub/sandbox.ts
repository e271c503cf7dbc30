import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import type { Config } from "../../../src/core/config.js";
import { hub } from "../../../src/core/hub/hub.js";
import type { ModelRef, Repository } from "../../../src/core/hub/types.js";
import type { NoticeEvent, ProgressEvent } from "../../../src/core/requests.js";
import { type HubServer, type HubServerOptions, startHubServer } from "../../hub-server.js";

/** A Hub with its own, and an empty cache that looks at it; both go when the test ends. */
export async function sandbox(
  options: HubServerOptions = {},
): Promise<{ server: HubServer; config: Config; home: string }> {
  const server = await startHubServer(options);
  onTestFinished(() => server.close());
  const home = await temporaryFolder();
  return { server, home, config: configFor(home, server.url) };
}

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "hfms-test-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export function configFor(home: string, hubEndpoint: string, changes: Partial<Config> = {}): Config {
  return {
    hfHome: home,
    hubCache: path.join(home, "hub"),
    hfmsCache: path.join(home, "hfms"),
    hubEndpoint,
    hubTokenPath: path.join(home, "token"),
    offline: false,
    proxy: {},
    connectTimeoutMs: 1000,
    ...changes,
  };
}

/** Short times, so that a test of retries takes milliseconds. */
export const quick = { retryDelayMs: 5, idleTimeoutMs: 1000 };

export interface Pulled {
  repository: Repository;
  progress: ProgressEvent[];
  notices: string[];
}

/** Resolves a model and fetches the named files, or all of them. */
export async function pull(
  config: Config,
  ref: ModelRef,
  files?: string[],
  signal?: AbortSignal,
): Promise<Pulled> {
  const source = hub(config, quick);
  const repository = await source.resolve(ref, signal);
  const events = source.fetch(repository, files ?? repository.files.map((file) => file.path), signal);
  return { repository, ...(await collect(events)) };
}

export async function collect(
  events: AsyncIterable<ProgressEvent | NoticeEvent>,
): Promise<{ progress: ProgressEvent[]; notices: string[] }> {
  const progress: ProgressEvent[] = [];
  const notices: string[] = [];
  for await (const event of events) {
    if (event.type === "progress") progress.push(event);
    else notices.push(event.message);
  }
  return { progress, notices };
}

/** Bytes that look random and are the same in every run. */
export function bytes(length: number, seed = 1): Buffer {
  const content = Buffer.alloc(length);
  for (let i = 0, state = seed; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    content[i] = state >>> 24;
  }
  return content;
}

/** A model as repositories have it; the weights are no tensors, which pulling does not mind. */
export function tinyRepository(id = "acme/tiny", weightBytes = 300_000) {
  return {
    id,
    files: {
      "config.json": '{"model_type":"llama"}',
      "tokenizer.json": '{"version":"1.0"}',
      "README.md": "# tiny",
      "model.safetensors": bytes(weightBytes),
      "pytorch_model.bin": bytes(1000, 2),
    },
  };
}
