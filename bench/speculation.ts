// Guessing ahead where a text repeats itself, beside one token after the other on the same engine, in turns: prompts whose
// answers copy, and prompts whose answers don't. See README.md.
import { readFileSync } from "node:fs";
import path from "node:path";
import { type Dtype, Engine, readConfig } from "hfms";
import type { Done } from "./generation.ts";
import { readOptions } from "./options.ts";
import { Recorder } from "./report.ts";

interface Prompt {
  name: string;
  /** A text to continue; otherwise it is asked in the model's chat template. */
  raw?: boolean;
  prompt: string;
  maxTokens: number;
}

/** A few percent are to be seen on prompts without copies: they are measured more often. */
const FREE_REPETITIONS = 2;

const options = readOptions({ rounds: 2, dtypes: ["fp32", "int8"] });
const { peers, rounds, threads, patience } = options;
const dtypes = options.dtypes as Dtype[];
const model = path.join(peers, "models", "SmolLM2-135M-Instruct.Q4_1.gguf");
const copying = readPrompts("copying");
const free = readPrompts("free");

// As `hfms run` and `hfms chat` open it: with one caller there is room to guess.
await using engine = await Engine.open({ ...readConfig(), threads, sequences: 1 });

/** Greedily, to the answer's own end. */
async function answer(dtype: Dtype, { name: _, ...prompt }: Prompt, speculation: boolean): Promise<Done> {
  for await (const event of engine.generate({ model, dtype, ...prompt, temperature: 0, speculation })) {
    if (event.type === "done") return event;
  }
  throw new Error("the engine ended without a result");
}

interface Pair {
  plain: Done;
  guessing: Done;
}

async function pair(dtype: Dtype, prompt: Prompt, guessFirst: boolean): Promise<Pair> {
  if (!guessFirst) {
    const plain = await recorder.sample(() => answer(dtype, prompt, false));
    return { plain, guessing: await recorder.sample(() => answer(dtype, prompt, true)) };
  }
  const guessing = await recorder.sample(() => answer(dtype, prompt, true));
  return { plain: await recorder.sample(() => answer(dtype, prompt, false)), guessing };
}

const recorder = await Recorder.start(engine, {
  name: "speculation",
  title: "Guessing ahead where a text repeats itself",
  settings: { rounds, threads, copyingPrompts: copying.length, freePrompts: free.length, temperature: 0 },
  patience,
});
// Loads and warms every graph, and learns what runs of several tokens cost.
for (const dtype of dtypes) {
  for (const prompt of copying.slice(0, 2)) {
    await answer(dtype, prompt, false);
    await answer(dtype, prompt, true);
  }
}

const sets = new Map<Dtype, { pairs: Map<Prompt, Pair[]>; gains: number[] }>();
for (const dtype of dtypes) sets.set(dtype, { pairs: new Map(), gains: [] });
for (let round = 0; round < rounds; round++) {
  process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  for (const [dtype, { pairs, gains }] of sets) {
    const measure = async (prompt: Prompt, guessFirst: boolean): Promise<Pair> => {
      const one = await pair(dtype, prompt, guessFirst);
      const contender = `${prompt.name}, ${dtype}`;
      recorder.add("plain", contender, "tokens/s", one.plain.timings.generate_per_second);
      recorder.add("guessing", contender, "tokens/s", one.guessing.timings.generate_per_second);
      const { accepted_tokens: accepted = 0, drafted_tokens: drafted = 0 } = one.guessing.timings;
      const runs = one.guessing.tokens.length - accepted;
      recorder.add("tokens a run", contender, "tokens", one.guessing.tokens.length / runs);
      recorder.add("guesses", contender, "tokens", drafted);
      recorder.add("guesses that held", contender, "%", drafted === 0 ? 0 : (accepted * 100) / drafted);
      pairs.set(prompt, [...(pairs.get(prompt) ?? []), one]);
      return one;
    };
    const copies: Pair[] = [];
    for (const [i, prompt] of copying.entries()) copies.push(await measure(prompt, (round + i) % 2 === 1));
    gains.push(rate(copies.map(({ guessing }) => guessing)) / rate(copies.map(({ plain }) => plain)));
    for (const prompt of free) {
      for (let i = 0; i < FREE_REPETITIONS; i++) await measure(prompt, (round + i) % 2 === 1);
    }
  }
}

for (const [dtype, { pairs, gains }] of sets) {
  recorder.check(`answers that copy, all together, ${dtype}: guessing / plain`, "×", gains, { atLeast: 2.5 });
  for (const prompt of [...copying, ...free]) {
    const ratios = pairs.get(prompt)!.map(({ plain, guessing }) => rate([guessing]) / rate([plain]));
    const target = free.includes(prompt) ? { atLeast: 0.97 } : {};
    recorder.check(`${prompt.name}, ${dtype}: guessing / plain`, "×", ratios, target);
  }
  const same = [...pairs.values()].filter((all) =>
    all.every(({ plain, guessing }) => String(plain.tokens) === String(guessing.tokens)),
  ).length;
  // A run of several tokens rounds otherwise than single ones, and rounded weights make more of it.
  const target = dtype === "fp32" ? { atLeast: pairs.size } : {};
  recorder.check(`prompts with the same tokens, ${dtype}`, `of ${pairs.size}`, [same], target);
}
recorder.finish(options.out);

/** Tokens per second of several answers as if they were one. */
function rate(answers: Done[]): number {
  const sum = (of: (one: Done) => number): number => answers.reduce((all, one) => all + of(one), 0);
  // The first token comes out of the prompt's run.
  return (sum(({ tokens }) => tokens.length - 1) * 1000) / sum(({ timings }) => timings.generate_ms);
}

function readPrompts(name: string): Prompt[] {
  const file = path.join(import.meta.dirname, "prompts", `${name}.json`);
  return JSON.parse(readFileSync(file, "utf8")) as Prompt[];
}
