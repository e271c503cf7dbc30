// What choosing a token costs at a vocabulary of 150,000, whose models take 50 ms or more for a step on two cores. See README.md.
import "../bin/sources.js";
import { Engine } from "hfms";
import type { SamplingParams } from "../src/core/requests.ts";
import { readOptions } from "./options.ts";
import { Recorder } from "./report.ts";
import { seededRandom } from "./text.ts";

/** Qwen 2 and 3. */
const VOCABULARY = 151_936;
/** Tokens in a round: the median of them is the round's number. */
const TOKENS = 64;
const WARM_UP = 200;

const filters = { temperature: 0.8, topK: 40, topP: 0.95, minP: 0.05 };
const ways: { name: string; params: SamplingParams; atMost: number }[] = [
  { name: "greedy", params: {}, atMost: 0.4 },
  { name: "greedy, penalties", params: { repetitionPenalty: 1.1, frequencyPenalty: 0.5 }, atMost: 0.4 },
  { name: "temperature", params: { temperature: 0.8 }, atMost: 1.5 },
  { name: "top-k 40", params: { temperature: 0.8, topK: 40 }, atMost: 1.5 },
  { name: "top-p 0.95", params: { temperature: 0.8, topP: 0.95 }, atMost: 1.5 },
  { name: "min-p 0.05", params: { temperature: 0.8, minP: 0.05 }, atMost: 1.5 },
  { name: "top-k, top-p, min-p", params: filters, atMost: 1.5 },
  { name: "typical-p 0.95", params: { temperature: 0.8, typicalP: 0.95 }, atMost: 2.5 },
  { name: "greedy, 20 log probabilities", params: { logprobs: 20 }, atMost: 2.5 },
  {
    name: "all, 20 log probabilities",
    params: { ...filters, typicalP: 0.95, repetitionPenalty: 1.1, logprobs: 20 },
    atMost: 2.5,
  },
];

const options = readOptions({ rounds: 7 });
// The sampler is inside the core: it is run from its source, which the first import lets Node find.
const { Sampler } = await import("../src/core/runtime/sampler.ts");
await using engine = await Engine.open();
const recorder = await Recorder.start(engine, {
  name: "sampling",
  title: `Choosing a token of ${VOCABULARY.toLocaleString("en")}`,
  settings: { rounds: options.rounds, vocabulary: VOCABULARY, tokens: TOKENS },
  patience: options.patience,
});

const random = seededRandom(7);
const rows = Array.from({ length: 8 }, (_, i) => madeRow(1 + i / 4));
const prompt = Array.from({ length: 1000 }, () => Math.floor(random() * VOCABULARY));
const masks: { name: string; mask?: Int32Array }[] = [
  { name: "free" },
  { name: "in a string (97 % allowed)", mask: madeMask(0.97) },
  { name: "in a structure (300 allowed)", mask: madeMask(300 / VOCABULARY) },
];
const logits = new Float32Array(VOCABULARY);
const contests = ways.flatMap((way) =>
  masks.map(({ name: measure, mask }) => {
    const sampler = new Sampler({ ...way.params, seed: 1 }, { prompt });
    return { way, measure, step: (i: number) => timed(() => sampler.sample(logits, mask), i) };
  }),
);
for (let round = 0; round < options.rounds; round++) {
  process.stderr.write(`round ${round + 1} of ${options.rounds}\n`);
  for (const { way, measure, step } of round % 2 === 0 ? contests : contests.toReversed()) {
    await recorder.sample(async () => {
      for (let i = 0; i < (round === 0 ? WARM_UP : 8); i++) step(i);
      const times = Array.from({ length: TOKENS }, (_, i) => step(i)).sort((a, b) => a - b);
      recorder.add(measure, way.name, "ms", times[TOKENS >> 1]);
    });
  }
}
for (const { way, measure } of contests) {
  // A mask may cost a fifth more.
  const atMost = measure === masks[0].name ? way.atMost : way.atMost * 1.2;
  recorder.check(`${way.name}, ${measure}`, "ms", recorder.samples(measure, way.name), { atMost });
}
recorder.finish(options.out);

/** Milliseconds of the work alone: the row that it spoils is put in place before. */
function timed(work: () => unknown, i: number): number {
  logits.set(rows[i % rows.length]);
  const start = performance.now();
  work();
  return performance.now() - start;
}

/** Like a language model's: a bell of unlikely tokens, and likely ones whose probabilities fall as 1 / rank^steepness. */
function madeRow(steepness: number): Float32Array {
  const row = Float32Array.from({ length: VOCABULARY }, () => 2.5 * bell());
  for (let rank = 1; rank <= 2000; rank++)
    row[Math.floor(random() * VOCABULARY)] = 18 - steepness * Math.log(rank) + 0.5 * bell();
  return row;
}

function bell(): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Allows a share of the tokens, and the likely ones by the same chance. */
function madeMask(share: number): Int32Array {
  const mask = new Int32Array(Math.ceil(VOCABULARY / 32));
  for (let token = 0; token < VOCABULARY; token++) {
    if (random() < share) mask[token >> 5] |= 1 << (token & 31);
  }
  return mask;
}
