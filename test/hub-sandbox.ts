import { onTestFinished } from "vitest";
import { readConfig } from "../src/core/config.js";
import type { Engine } from "../src/core/engine.js";
import type { PullEvent } from "../src/core/requests.js";
import { temporaryFolder } from "./core/hub/sandbox.js";
import { openEngine } from "./engine-sandbox.js";
import { golden } from "./golden/reference.js";
import { type HubServerOptions, startHubServer } from "./hub-server.js";
import { collect } from "./tiny-model.js";

export const llama = golden("llama-gqa");
const [, prompt] = llama.reference.prompts;
export const greedy = {
  raw: true,
  temperature: 0,
  dtype: "fp32",
  prompt: prompt.text,
  maxTokens: 12,
} as const;
export const repositories = [
  { id: "acme/tiny-llama", files: llama.directory },
  { id: "acme/tiny-bert", files: golden("bert-mean").directory },
  { id: "acme/tiny-gguf", files: golden("llama-gguf-q8_0").directory },
];

/** An engine with an empty home, and a Hub of its own. */
export async function sandbox(options: HubServerOptions = { repositories }) {
  const server = await startHubServer(options);
  onTestFinished(() => server.close());
  const home = await temporaryFolder();
  const environment = { HF_HOME: home, HF_ENDPOINT: server.url };
  return { server, home, environment, engine: await openEngine(readConfig(environment)) };
}

export async function pull(engine: Engine, request: Parameters<Engine["pull"]>[0], signal?: AbortSignal) {
  const events = await collect(engine.pull(request, signal));
  const of = <T extends PullEvent["type"]>(type: T) =>
    events.filter((event): event is Extract<PullEvent, { type: T }> => event.type === type);
  return { events, plan: of("plan")[0], done: of("done")[0], progress: of("progress") };
}
