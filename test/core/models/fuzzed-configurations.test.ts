import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { matrixFormat } from "../../../src/core/dtype.js";
import { HfmsError } from "../../../src/core/errors.js";
import { GraphBuilder } from "../../../src/core/graph/builder.js";
import { architectureOf, textConfig } from "../../../src/core/models/index.js";
import { withParts } from "../../../src/core/models/parts.js";
import { checkShapes } from "../../../src/core/models/shapes.js";
import { checkpointWeights } from "../../../src/core/models/tensors.js";
import type { Architecture } from "../../../src/core/models/types.js";
import { openWeights } from "../../../src/core/weights/index.js";
import { readCheckpoint } from "../../../src/core/weights/quantized/checkpoint.js";
import { readQuantization } from "../../../src/core/weights/quantized/configuration.js";
import type { WeightFile } from "../../../src/core/weights/types.js";

type Config = Record<string, unknown>;

const MUTATIONS = 10_000;
/** Of the configurations that are read, every so many-th is built from the golden's weights. */
const BUILD_EVERY = 4;
/** What reading configurations may take beside what was there before: none of them is a reason for large arrays. */
const MOST_MEMORY = 400 * 2 ** 20;

const goldenFolder = path.join(import.meta.dirname, "../../golden");
const configs = readdirSync(goldenFolder, { recursive: true, encoding: "utf8" })
  .filter((file) => path.basename(file) === "config.json" && !file.includes("_Pooling"))
  .sort()
  .map((file) => ({ name: path.dirname(file), text: readFileSync(path.join(goldenFolder, file), "utf8") }))
  .filter(({ text }) => typeof JSON.parse(text).model_type === "string");

/** Values that no field has, or that one field has and another can't. */
const absurd: readonly unknown[] = [
  ...[null, true, false, "", "x", "silu", "0", [], {}, [[]], [1, 2, 3], [null], { a: 1 }, { 0: "a" }],
  ...[0, 1, -1, 2, 3, 7, 0.5, 1e-9, 1.5, 64, 65, 1023, 1e5, 1e6, 99_999_999, 2 ** 31, 2 ** 53, 1e300, -1e300],
  ...["\u0000", "x".repeat(100_000), "__proto__", "constructor", "toString"],
  ...[Array.from({ length: 10_000 }, () => "full_attention"), Array.from({ length: 10_000 }, (_, i) => i)],
];

describe("a mutated config.json", () => {
  let architectures: Map<string, Architecture>;
  const files = new Map<string, WeightFile>();
  afterAll(async () => {
    for (const file of files.values()) await file[Symbol.asyncDispose]();
  });
  beforeAll(async () => {
    for (const { name } of configs) {
      const weights = ["model.safetensors", "model.safetensors.index.json"]
        .map((file) => path.join(goldenFolder, name, file))
        .find((file) => existsSync(file));
      if (weights) files.set(name, await openWeights(weights));
    }
    const types = new Set(configs.map(({ text }) => textConfig(JSON.parse(text)).model_type as string));
    architectures = new Map();
    for (const type of types) architectures.set(type, await architectureOf(type));
  });

  it("is read, or refused by the file's and the field's name, and takes no memory", async () => {
    const random = generator(2026);
    const before = process.memoryUsage().rss;
    const failures: string[] = [];
    let [read, refused, most] = [0, 0, 0];
    for (let i = 0; i < MUTATIONS; i++) {
      const { name, text } = configs[i % configs.length];
      const config = JSON.parse(text) as Config;
      const changes = mutate(config, random);
      try {
        const settings = readConfiguration(config);
        read++;
        const file = files.get(name);
        if (file && read % BUILD_EVERY === 0) await build(config, settings, file);
      } catch (error) {
        refused++;
        if (!isRefusal(error)) failures.push(`${name} with ${changes}: ${describeError(error)}`);
      }
      if (i % 100 === 0) most = Math.max(most, process.memoryUsage().rss - before);
    }
    expect(failures).toEqual([]);
    // Some of both, or nothing was tried.
    expect(read).toBeGreaterThan(MUTATIONS / 20);
    expect(refused).toBeGreaterThan(MUTATIONS / 20);
    expect(most).toBeLessThan(MOST_MEMORY);
  });

  /** What `convert` does with a configuration before it looks at weights. */
  function readConfiguration(whole: Config): unknown {
    const config = textConfig(whole);
    readQuantization({ ...config, ...whole });
    const architecture = architectures.get(String(config.model_type));
    // Of another model_type: architectureOf refuses what is not there, which other tests show.
    if (!architecture || typeof config.model_type !== "string") return undefined;
    architecture.headTasks?.(config);
    const settings = architecture.parseConfig(config);
    architecture.shapes(settings);
    architecture.parts?.(settings, "checkpoint");
    return settings;
  }

  /** And with the weights: the graph is declared, nothing of it is written. */
  async function build(whole: Config, settings: unknown, file: WeightFile): Promise<void> {
    const config = textConfig(whole);
    const architecture = architectures.get(String(config.model_type));
    if (!architecture) return;
    try {
      const checkpoint = await readCheckpoint(file, { ...config, ...whole }, "model.safetensors");
      const stored = checkpointWeights(checkpoint, architecture, "model.safetensors");
      const weights = withParts(stored, architecture.parts?.(settings, "checkpoint") ?? {});
      checkShapes(weights, architecture.shapes(settings), "model.safetensors");
      const format = matrixFormat("int8", "decoder");
      architecture.build(new GraphBuilder(), settings, { weights, format, compute: "blocks" });
    } catch (error) {
      // Here the configuration and the weights don't belong together, and a tensor is named.
      const named =
        error instanceof HfmsError && /model\.safetensors|both sides of a text/.test(error.message);
      if (!named) throw error;
    }
  }
});

function isRefusal(error: unknown): boolean {
  if (!(error instanceof HfmsError) || !["unsupported_model", "corrupt_file"].includes(error.code))
    return false;
  const { param, message } = error;
  return message.startsWith("config.json: ") && param !== undefined && message.includes(param.split(".")[0]);
}

function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const where = error.stack?.split("\n").find((line) => line.includes("/src/")) ?? "";
  return `${error.name} ${error.message.slice(0, 200)} ${(error as HfmsError).param ?? ""} ${where.trim()}`;
}

/** Changes one to three fields, at any depth; says what it did. */
function mutate(config: Config, random: (below: number) => number): string {
  const changes: string[] = [];
  for (let n = random(3); n >= 0; n--) {
    let target = config;
    let keys = Object.keys(target);
    let key = keys[random(keys.length)];
    const trail = [key];
    while (random(3) > 0 && isObject(target[key]) && Object.keys(target[key] as Config).length > 0) {
      target = target[key] as Config;
      keys = Object.keys(target);
      key = keys[random(keys.length)];
      trail.push(key);
    }
    const at = trail.join(".");
    const kind = random(8);
    if (kind === 0) {
      delete target[key];
      changes.push(`${at} gone`);
    } else if (kind === 1) {
      const other = keys[random(keys.length)];
      [target[key], target[other]] = [target[other], target[key]];
      changes.push(`${at} and ${other} swapped`);
    } else if (kind === 2 && typeof target[key] === "number") {
      const factors = [-1, 0.5, 2, 3, 1e6];
      target[key] = (target[key] as number) * factors[random(factors.length)];
      changes.push(`${at} = ${target[key]}`);
    } else {
      target[key] = structuredClone(absurd[random(absurd.length)]);
      changes.push(`${at} = ${JSON.stringify(target[key])?.slice(0, 40)}`);
    }
  }
  return changes.join(", ");
}

/** Whole numbers that look random and are the same in every run. Source: mulberry32 (public domain). */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b_79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

function isObject(value: unknown): value is Config {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
