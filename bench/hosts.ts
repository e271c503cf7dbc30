// Model hosts: what this process keeps of 24 loads, what a host takes beside its estimate, what crossing costs, and what
// two busy hosts do to each other. See README.md.
import { setTimeout as sleep } from "node:timers/promises";
import { type Config, Engine, type GenerateRequest, readConfig } from "hfms";
import { readOptions } from "./options.ts";
import { Recorder } from "./report.ts";

const MEBI = 2 ** 20;
const CYCLES = 24;
const options = readOptions({ rounds: 5, model: "smollm2", dtypes: ["int8", "int4", "fp32"] });
const model = options.model!;
const config: Config = { ...readConfig(), threads: options.threads };
const request: GenerateRequest = {
  model,
  prompt: "Once upon a time there was",
  raw: true,
  temperature: 0,
  maxTokens: 64,
  ignoreEos: true,
  speculation: false,
};

await using alone = await Engine.open(config);
await using hosted = await Engine.open(config, { isolation: "process" });
const recorder = await Recorder.start(alone, {
  name: "hosts",
  title: "Model hosts",
  settings: { rounds: options.rounds, model, threads: options.threads, cycles: CYCLES },
  patience: options.patience,
});

await cycles();
for (const dtype of options.dtypes) await memory(dtype as GenerateRequest["dtype"]);
await crossing();
await sharing();
await deaths();
recorder.finish(options.out);

/** Loads, answers and unloads again and again; what this process has grown by after each. */
async function cycles(): Promise<void> {
  const measure = `this process after ${CYCLES} loads`;
  let before = 0;
  const grown = (): number => (process.memoryUsage.rss() - before) / MEBI;
  for (let cycle = 0; cycle <= CYCLES; cycle++) {
    await generate(hosted, { ...request, dtype: "int4", maxTokens: 4 });
    await hosted.unload(model);
    // The first one loads code.
    if (cycle === 0) before = process.memoryUsage.rss();
    else if (cycle % 8 === 0) recorder.add("this process, grown by", `${cycle} loads`, "MiB", grown());
  }
  recorder.check(measure, "MiB", recorder.samples("this process, grown by", `${CYCLES} loads`), {
    atMost: 20,
  });
}

/** A host's memory behind a long prompt, over what it was expected to take. */
async function memory(dtype: GenerateRequest["dtype"]): Promise<void> {
  const prepared = hosted.prepare({ model, dtype });
  let step = await prepared.next();
  while (!step.done) step = await prepared.next();
  const expected = step.value.memoryNeed / MEBI;
  await generate(hosted, { ...request, dtype, prompt: "word and ".repeat(700) });
  const [{ memory = 0 }] = await hosted.ps();
  recorder.add("memory expected", dtype!, "MiB", expected);
  recorder.add("memory measured", dtype!, "MiB", memory / MEBI);
  await hosted.unload(model);
}

/** The same request in this process and in a host, both with sleeping threads. */
async function crossing(): Promise<void> {
  await using here = await Engine.open({ ...config, spin: false });
  const sides = { "in this process": here, "in a host": hosted };
  for (const engine of Object.values(sides)) await generate(engine, request);
  for (let round = 0; round < options.rounds; round++) {
    for (const [name, engine] of inTurn(Object.entries(sides), round))
      recorder.add("one stream", name, "tokens/s", await recorder.sample(() => generate(engine, request)));
  }
  recorder.ratio("one stream", "in a host", "in this process", { atLeast: 0.97 });
  await hosted.unload(model);
}

/** One busy host, and two at once, by how their threads wait and how many there are. */
async function sharing(): Promise<void> {
  const settings: Record<string, Partial<Config>> = {
    "all threads, spinning": { spin: true },
    "all threads, sleeping": { spin: false },
    "half the threads, sleeping": { spin: false, threads: Math.max(1, options.threads >> 1) },
  };
  const engines = await Promise.all(
    Object.entries(settings).map(async ([name, change]) => {
      const engine = await Engine.open({ ...config, ...change }, { isolation: "process" });
      for (const dtype of ["int8", "int4"] as const) await generate(engine, { ...request, dtype });
      return [name, engine] as const;
    }),
  );
  for (let round = 0; round < options.rounds; round++) {
    for (const [name, engine] of inTurn(engines, round)) {
      const one = await recorder.sample(() => generate(engine, { ...request, dtype: "int8" }));
      const two = await recorder.sample(() =>
        Promise.all([
          generate(engine, { ...request, dtype: "int8" }),
          generate(engine, { ...request, dtype: "int4" }),
        ]),
      );
      recorder.add("one busy host", name, "tokens/s", one);
      recorder.add("two busy hosts together", name, "tokens/s", two[0] + two[1]);
    }
  }
  for (const [, engine] of engines) await engine[Symbol.asyncDispose]();
}

/** From the death of an idle host to the end of a request that finds it dead. */
async function deaths(): Promise<void> {
  for (let round = 0; round < options.rounds; round++) {
    await generate(hosted, { ...request, dtype: "int4", maxTokens: 1 });
    const [{ pid }] = await hosted.ps();
    process.kill(pid!, "SIGKILL");
    const start = performance.now();
    await generate(hosted, { ...request, dtype: "int4", maxTokens: 1 });
    recorder.add("an answer after a death", "one token", "ms", performance.now() - start);
    await sleep(100);
  }
}

/** Tokens per second of an answer; the others of one token are timed by their callers. */
async function generate(engine: Engine, asked: GenerateRequest): Promise<number> {
  let rate = 0;
  for await (const event of engine.generate(asked))
    if (event.type === "done") rate = event.timings.generate_per_second;
  return rate;
}

function inTurn<T>(all: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? all : all.toReversed();
}
