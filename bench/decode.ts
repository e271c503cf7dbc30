// SmolLM2-135M through the engine beside llama.cpp on the same weights, in turns: how fast a prompt is read and an answer
// written. See README.md.
import path from "node:path";
import { type Dtype, Engine, readConfig } from "hfms";
import { generate, promptMaker } from "./generation.ts";
import { readOptions } from "./options.ts";
import { llamaBench, llamaVersion } from "./peers/llama-bench.ts";
import { Recorder } from "./report.ts";

const SHORT = 16;
const LONG = 361;
const TOKENS = 128;
/** A prompt is read in a fraction of a second: several times a round. */
const PROMPT_REPETITIONS = 3;

const options = readOptions({ rounds: 7, dtypes: ["auto", "int4"] });
const { peers, rounds, threads, patience } = options;
const file = "SmolLM2-135M-Instruct";
const model = path.join(peers, "models", `${file}.Q4_1.gguf`);

await using engine = await Engine.open({ ...readConfig(), threads, sequences: 1 });
const dtypes = options.dtypes as Dtype[];
const prompts = promptMaker(engine, { model, dtype: dtypes[0] });
const newPrompt = async (tokens: number): Promise<string> => (await prompts.make(1, tokens))[0];

interface Contender {
  name: string;
  /** Tokens per second of an answer behind so many tokens of context. */
  decode(depth: "short" | "long"): Promise<number>;
  /** Tokens per second of reading the long prompt. */
  prefill(): Promise<number>;
}

function hfms(dtype: Dtype): Contender {
  return {
    name: `hfms ${dtype === "auto" ? "auto (int8)" : dtype}`,
    // The first token comes out of the prompt's run, so one more makes TOKENS steps.
    async decode(depth) {
      const prompt = await newPrompt(depth === "short" ? SHORT : LONG);
      const { timings } = await generate(engine, { model, dtype, prompt, tokens: TOKENS + 1 });
      return timings.generate_per_second;
    },
    async prefill() {
      const rates: number[] = [];
      for (let i = 0; i < PROMPT_REPETITIONS; i++) {
        const prompt = await newPrompt(LONG);
        const { timings } = await generate(engine, { model, dtype, prompt, tokens: 1 });
        rates.push(timings.prompt_per_second);
      }
      return middle(rates);
    },
  };
}

function llama(format: string): Contender {
  const weights = `${file}.${format}.gguf`;
  return {
    name: `llama.cpp ${format}`,
    decode: async (depth) =>
      middle(
        await llamaBench(peers, weights, {
          generate: TOKENS,
          depth: depth === "short" ? SHORT : LONG,
          threads,
        }),
      ),
    prefill: async () =>
      middle(await llamaBench(peers, weights, { prompt: LONG, threads, repetitions: PROMPT_REPETITIONS })),
  };
}

function middle(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

// Contenders that are compared stand side by side, so that both meet the same weather.
const contenders = dtypes.flatMap((dtype) => {
  if (dtype === "auto" || dtype === "int8") return [llama("Q8_0"), hfms(dtype), llama("Q4_1")];
  return dtype === "int4" ? [hfms(dtype), llama("Q4_0")] : [hfms(dtype)];
});
const recorder = await Recorder.start(engine, {
  name: "decode",
  title: "SmolLM2-135M beside llama.cpp",
  settings: { rounds, threads, newTokens: TOKENS, shortPrompt: SHORT, longPrompt: LONG, temperature: 0 },
  patience,
  peers: { "llama.cpp": await llamaVersion(peers) },
});
const measures = {
  [`decode past ${SHORT}`]: (contender: Contender) => contender.decode("short"),
  [`decode past ${LONG}`]: (contender: Contender) => contender.decode("long"),
  [`prefill ${LONG}`]: (contender: Contender) => contender.prefill(),
};

// Loads and warms every graph; llama-bench warms itself.
for (const dtype of dtypes) await hfms(dtype).decode("short");
for (let round = 0; round < rounds; round++) {
  process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  for (const [measure, run] of Object.entries(measures)) {
    // Every other round the other way round: neither side always goes first.
    const order = round % 2 === 0 ? contenders : contenders.toReversed();
    for (const contender of order) {
      const rate = await recorder.sample(() => run(contender));
      recorder.add(measure, contender.name, "tokens/s", rate);
    }
  }
}

const [short, long, prefill] = Object.keys(measures);
for (const decode of [short, long]) {
  recorder.ratio(decode, "hfms auto (int8)", "llama.cpp Q8_0", { atLeast: 1.1 });
  recorder.ratio(decode, "hfms auto (int8)", "llama.cpp Q4_1", { atLeast: 1.3 });
  recorder.ratio(decode, "hfms int4", "llama.cpp Q4_0", { atLeast: 1 });
}
recorder.ratio(prefill, "hfms auto (int8)", "llama.cpp Q8_0", { atLeast: 1.8 });
recorder.ratio(prefill, "hfms auto (int8)", "llama.cpp Q4_1", { atLeast: 3 });
recorder.ratio(prefill, "hfms int4", "llama.cpp Q4_0", { atLeast: 1.1 });
recorder.finish(options.out);
