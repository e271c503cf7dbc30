import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { type Config, readConfig } from "../src/core/config.js";
import { Engine } from "../src/core/engine.js";
import type {
  ClassifyEvent,
  ClassifyRequest,
  EmbedEvent,
  EmbedRequest,
  GenerateEvent,
  GenerateRequest,
  RankEvent,
  RankRequest,
} from "../src/core/requests.js";

/** A home of its own for the tests of a file, so that a model is built once; it goes when they have ended. */
export function engineHome(): (env?: Record<string, string>) => Config {
  let home = "";
  beforeAll(async () => {
    home = await mkdtemp(path.join(os.tmpdir(), "hfms-engine-"));
  });
  afterAll(() => rm(home, { recursive: true, force: true }));
  return (env = {}) => readConfig({ HF_HOME: home, HF_HUB_OFFLINE: "1", ...env });
}

/** An engine that goes when the test ends. */
export async function openEngine(config: Config): Promise<Engine> {
  const engine = await Engine.open(config);
  onTestFinished(() => engine[Symbol.asyncDispose]());
  return engine;
}

export type Generated = Extract<GenerateEvent, { type: "done" }> & { events: GenerateEvent[] };

/** Runs a request to its end. */
export async function generate(
  engine: Engine,
  request: GenerateRequest,
  signal?: AbortSignal,
): Promise<Generated> {
  const events: GenerateEvent[] = [];
  for await (const event of engine.generate(request, signal)) events.push(event);
  return { ...(events.at(-1) as Extract<GenerateEvent, { type: "done" }>), events };
}

export type Embedded = Extract<EmbedEvent, { type: "embedding" }>;

/** All vectors of a request, and the event that ended it. */
export async function embed(
  engine: Engine,
  request: EmbedRequest,
  signal?: AbortSignal,
): Promise<{ vectors: Embedded[]; done: Extract<EmbedEvent, { type: "done" }>; events: EmbedEvent[] }> {
  const events: EmbedEvent[] = [];
  for await (const event of engine.embed(request, signal)) events.push(event);
  const vectors = events.filter((event) => event.type === "embedding");
  return { vectors, done: events.at(-1) as Extract<EmbedEvent, { type: "done" }>, events };
}

export type Classified = Extract<ClassifyEvent, { type: "classification" }>;

/** The labels of all inputs of a request, and the event that ended it. */
export async function classify(
  engine: Engine,
  request: ClassifyRequest,
  signal?: AbortSignal,
): Promise<{
  results: Classified[];
  done: Extract<ClassifyEvent, { type: "done" }>;
  events: ClassifyEvent[];
}> {
  const events: ClassifyEvent[] = [];
  for await (const event of engine.classify(request, signal)) events.push(event);
  const results = events.filter((event) => event.type === "classification");
  return { results, done: events.at(-1) as Extract<ClassifyEvent, { type: "done" }>, events };
}

export type Ranked = Extract<RankEvent, { type: "score" }>;

/** The scores of all documents of a request, and the event that ended it. */
export async function rank(
  engine: Engine,
  request: RankRequest,
  signal?: AbortSignal,
): Promise<{ results: Ranked[]; done: Extract<RankEvent, { type: "done" }>; events: RankEvent[] }> {
  const events: RankEvent[] = [];
  for await (const event of engine.rank(request, signal)) events.push(event);
  const results = events.filter((event) => event.type === "score");
  return { results, done: events.at(-1) as Extract<RankEvent, { type: "done" }>, events };
}
