// SmolLM2-135M with 1 to 16 requests at once through the engine, beside llama.cpp on the same weights and transformers.js,
// in turns. See README.md.
import path from "node:path";
import { type Dtype, Engine, readConfig } from "hfms";
import { generateTogether, promptMaker } from "./generation.ts";
import { readOptions } from "./options.ts";
import { llamaBatchedBench, llamaVersion } from "./peers/llama-bench.ts";
import { startTransformersJsGeneration } from "./peers/transformers-js.ts";
import { Recorder } from "./report.ts";

const PROMPT = 64;
const TOKENS = 64;
const STREAMS = [1, 4, 8, 16];
/** How many transformers.js gets as one batch. */
const PEER_STREAMS = 8;

const options = readOptions({ rounds: 3, dtypes: ["auto", "int4"] });
const { peers, rounds, threads, patience } = options;
const dtypes = options.dtypes as Dtype[];
const file = "SmolLM2-135M-Instruct";
const model = path.join(peers, "models", `${file}.Q4_1.gguf`);

await using engine = await Engine.open({ ...readConfig(), threads });
// As `hfms run` and `hfms chat` open it: nobody else will ask, so a step needs no company to be bit-equal to one in it.
await using single = await Engine.open({ ...readConfig(), threads, sequences: 1 });
using js = await startTransformersJsGeneration(path.join(peers, "models"), threads);
const maker = promptMaker(engine, { model, dtype: dtypes[0] });

interface Rates {
  generation: number;
  whole: number;
}

interface Contender {
  name: string;
  run(streams: number): Promise<Rates>;
}

function hfms(dtype: Dtype, on = engine): Contender {
  return {
    name: `hfms ${dtype === "auto" ? "auto (int8)" : dtype}${on === single ? ", one caller" : ""}`,
    // The first token comes out of the prompt's run, so one more makes TOKENS steps.
    run: async (streams) =>
      generateTogether(on, { model, dtype, prompts: await maker.make(streams, PROMPT), tokens: TOKENS + 1 }),
  };
}

function llama(format: string): Contender {
  const weights = `${file}.${format}.gguf`;
  return {
    name: `llama.cpp ${format}`,
    run: (streams) =>
      llamaBatchedBench(peers, weights, { streams, prompt: PROMPT, generate: TOKENS, threads }),
  };
}

const transformersJs: Contender = {
  name: "transformers.js int4",
  async run(streams) {
    const batch = await js.generate(await maker.make(streams, PROMPT), TOKENS + 1);
    const { steps, promptTokens, generationMs, ms } = batch;
    if (steps !== TOKENS + 1 || promptTokens !== PROMPT) {
      throw new Error(`transformers.js read ${promptTokens} tokens and made ${steps}`);
    }
    return {
      generation: (streams * TOKENS * 1000) / generationMs,
      whole: (streams * (PROMPT + TOKENS) * 1000) / ms,
    };
  },
};

// Contenders that are compared stand side by side, so that both meet the same weather.
const contenders = (streams: number): Contender[] => [
  ...dtypes.flatMap((dtype) => {
    const own = streams === 1 ? [hfms(dtype), hfms(dtype, single)] : [hfms(dtype)];
    const peer = { auto: "Q8_0", int8: "Q8_0", int4: "Q4_0" }[dtype as string];
    return peer === undefined ? own : [llama(peer), ...own];
  }),
  ...(streams === PEER_STREAMS ? [transformersJs] : []),
];

// Loads and warms every graph; llama-batched-bench warms itself.
for (const dtype of dtypes) {
  await hfms(dtype).run(Math.max(...STREAMS));
  await hfms(dtype, single).run(1);
}
await transformersJs.run(PEER_STREAMS);

const recorder = await Recorder.start(engine, {
  name: "batching",
  title: "SmolLM2-135M with several streams",
  settings: { rounds, threads, prompt: PROMPT, newTokens: TOKENS, temperature: 0 },
  patience,
  peers: { "llama.cpp": await llamaVersion(peers), "transformers.js": js.version },
});
const generating = (streams: number): string => `${streams} generating`;
for (let round = 0; round < rounds; round++) {
  process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  for (const streams of STREAMS) {
    const all = contenders(streams);
    for (const { name, run } of round % 2 === 0 ? all : all.toReversed()) {
      const { generation, whole } = await recorder.sample(() => run(streams));
      recorder.add(generating(streams), name, "tokens/s", generation);
      recorder.add(`${streams} in all`, name, "tokens/s", whole);
    }
  }
}

const targets: [dtype: string, peer: string, atLeast: Record<number, number>][] = [
  ["auto (int8)", "Q8_0", { 1: 1.1, 4: 2.5, 8: 2, 16: 1.8 }],
  ["int4", "Q4_0", { 1: 1.1, 4: 1.5, 8: 2, 16: 1.1 }],
];
for (const [dtype, peer, atLeast] of targets) {
  for (const streams of STREAMS) {
    const target = { atLeast: atLeast[streams] };
    recorder.ratio(generating(streams), `hfms ${dtype}`, `llama.cpp ${peer}`, target);
    recorder.ratio(generating(streams), `hfms ${dtype}, one caller`, `llama.cpp ${peer}`, target);
  }
}
for (const [dtype] of targets) {
  recorder.ratio(generating(PEER_STREAMS), `hfms ${dtype}`, transformersJs.name, { atLeast: 5 });
}
recorder.finish(options.out);
