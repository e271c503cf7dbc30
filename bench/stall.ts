// An answer that is running while a long prompt is computed: how long it stands still, how free the event loop stays, and
// what both cost each other. See README.md.
import path from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { type Dtype, Engine, readConfig } from "hfms";
import { generate, promptMaker } from "./generation.ts";
import { readOptions } from "./options.ts";
import { Recorder } from "./report.ts";

const LONG = 4000;
const SHORT = 64;
/** The answer runs so many tokens alone before the long prompt comes. */
const BEFORE = 48;
/** More than it makes while the prompt is computed; then it is stopped. */
const MOST = 4000;

const options = readOptions({ rounds: 3, dtypes: ["auto", "int4"] });
const { peers, rounds, threads, patience } = options;
const dtypes = options.dtypes as Dtype[];
const model = path.join(peers, "models", "SmolLM2-135M-Instruct.Q4_1.gguf");

await using engine = await Engine.open({ ...readConfig(), threads });
const maker = promptMaker(engine, { model, dtype: dtypes[0] });

interface Together {
  /** Tokens per second of the running answer, alone and beside the prompt. */
  alone: number;
  beside: number;
  prompt: number;
  /** Milliseconds: the longest time without a token while the prompt is computed. */
  gap: number;
  /** Milliseconds that a timer of 1 ms took, so never less than 1: the 99th percentile and the longest. */
  delay: number;
  longestDelay: number;
}

async function measure(dtype: Dtype, length: number): Promise<Together> {
  const [[short], [long]] = [await maker.make(1, SHORT), await maker.make(1, length)];
  const pieces: { tokens: number; at: number }[] = [];
  const stop = new AbortController();
  const warm = Promise.withResolvers<void>();
  const stream = generate(
    engine,
    { model, dtype, prompt: short, tokens: MOST },
    (tokens, at) => {
      pieces.push({ tokens, at });
      if (pieces.length === BEFORE) warm.resolve();
    },
    stop.signal,
  ).then(
    () => {
      throw new Error(`the answer made its ${MOST} tokens before the prompt was computed`);
    },
    (error: unknown) => {
      // Stopping it is how it ends.
      if (!stop.signal.aborted) throw error;
    },
  );
  await Promise.race([warm.promise, stream]);

  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  const start = performance.now();
  const { timings } = await generate(engine, { model, dtype, prompt: long, tokens: 1 });
  const end = performance.now();
  delays.disable();
  const during = pieces.filter(({ at }) => at > start && at <= end);
  const before = pieces.filter(({ at }) => at <= start);
  stop.abort();
  await stream;

  // What it waited when the prompt came counts, and what it has waited when the prompt is done.
  const moments = [before[before.length - 1].at, ...during.map(({ at }) => at), end];
  return {
    alone: rate(before.slice(1), start - before[0].at),
    beside: rate(during, end - start),
    prompt: timings.prompt_per_second,
    gap: Math.max(...moments.slice(1).map((at, i) => at - moments[i])),
    delay: delays.percentile(99) / 1e6,
    longestDelay: delays.max / 1e6,
  };
}

// Loads and warms every graph.
for (const dtype of dtypes) await measure(dtype, SHORT * 8);

const recorder = await Recorder.start(engine, {
  name: "stall",
  title: `A running answer while a prompt of ${LONG.toLocaleString("en")} tokens is computed`,
  settings: { rounds, threads, prompt: LONG },
  patience,
});
const [GAP, DELAY] = ["longest gap", "event loop delay, p99"];
for (let round = 0; round < rounds; round++) {
  process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  for (const dtype of round % 2 === 0 ? dtypes : dtypes.toReversed()) {
    const one = await recorder.sample(() => measure(dtype, LONG));
    recorder.add(GAP, dtype, "ms", one.gap);
    recorder.add(DELAY, dtype, "ms", one.delay);
    recorder.add("longest delay", dtype, "ms", one.longestDelay);
    recorder.add("prompt", dtype, "tokens/s", one.prompt);
    recorder.add("answer beside it", dtype, "tokens/s", one.beside);
    recorder.add("answer before", dtype, "tokens/s", one.alone);
  }
}
for (const dtype of dtypes) {
  recorder.check(`${GAP}, ${dtype}`, "ms", recorder.samples(GAP, dtype), { atMost: 250 });
  recorder.check(`${DELAY}, ${dtype}`, "ms", recorder.samples(DELAY, dtype), { atMost: 10 });
}
recorder.finish(options.out);

function rate(pieces: { tokens: number }[], ms: number): number {
  return (pieces.reduce((sum, { tokens }) => sum + tokens, 0) * 1000) / ms;
}
