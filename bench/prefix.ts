// How long the first token takes when the prompt begins like an earlier one, beside a prompt that nothing is known of. See
// README.md.
import path from "node:path";
import { type Dtype, Engine, readConfig } from "hfms";
import { generate, promptMaker } from "./generation.ts";
import { readOptions } from "./options.ts";
import { Recorder } from "./report.ts";

const SHARED = 1000;
/** Behind the shared tokens, another one for each prompt. */
const QUESTIONS = [" What does the text say about the harbour?", " Who is named in the text, and why?"];
/** Like the answer to a short question: keys and values of an answer are not what is measured. */
const TOKENS = 4;

const options = readOptions({ rounds: 7, dtypes: ["auto", "int4"] });
const { peers, rounds, threads, patience } = options;
const dtypes = options.dtypes as Dtype[];
const model = path.join(peers, "models", "SmolLM2-135M-Instruct.Q4_1.gguf");

await using engine = await Engine.open({ ...readConfig(), threads });
const maker = promptMaker(engine, { model, dtype: dtypes[0] });

interface First {
  ms: number;
  cached: number;
}

/** Milliseconds from the request to its first text. */
async function first(dtype: Dtype, prompt: string): Promise<First> {
  const start = performance.now();
  let ms: number | undefined;
  const { usage } = await generate(engine, { model, dtype, prompt, tokens: TOKENS }, (_, at) => {
    ms ??= at - start;
  });
  return { ms: ms ?? performance.now() - start, cached: usage.cached_tokens };
}

// Loads and warms every graph.
for (const dtype of dtypes) {
  const [prompt] = await maker.make(1, SHARED);
  for (const question of QUESTIONS) await first(dtype, prompt + question);
}

const recorder = await Recorder.start(engine, {
  name: "prefix",
  title: "A prompt that begins like an earlier one",
  settings: { rounds, threads, sharedTokens: SHARED },
  patience,
});
const MEASURE = "time to first token";
for (let round = 0; round < rounds; round++) {
  process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  for (const dtype of round % 2 === 0 ? dtypes : dtypes.toReversed()) {
    const [shared] = await maker.make(1, SHARED);
    const cold = await recorder.sample(() => first(dtype, shared + QUESTIONS[0]));
    const warm = await recorder.sample(() => first(dtype, shared + QUESTIONS[1]));
    if (cold.cached > 0) throw new Error(`${cold.cached} tokens of a new prompt were known`);
    recorder.add(MEASURE, `${dtype}, new`, "ms", cold.ms);
    recorder.add(MEASURE, `${dtype}, ${SHARED} tokens known`, "ms", warm.ms);
    recorder.add("tokens not computed", `${dtype}, ${SHARED} tokens known`, "tokens", warm.cached);
  }
}
for (const dtype of dtypes) {
  recorder.ratio(MEASURE, `${dtype}, ${SHARED} tokens known`, `${dtype}, new`, { atMost: 0.15 });
}
recorder.finish(options.out);
