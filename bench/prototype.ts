// The engine beside the barest loop that runs the same graph: bound tensors, one native call a step, no sampling, no text.
// What is between the two is what hfms itself costs. See README.md.
import { readFileSync } from "node:fs";
import path from "node:path";
import { type Dtype, Engine, readConfig } from "hfms";
import { generate, promptMaker } from "./generation.ts";
import { readOptions } from "./options.ts";
import { openRawGraph } from "./raw-graph.ts";
import { Recorder } from "./report.ts";

const DEPTHS = [16, 361];
const TOKENS = 128;
const options = readOptions({ rounds: 7, dtypes: ["auto", "int4"] });
const { peers, rounds, threads, patience } = options;
const model = path.join(peers, "models", "SmolLM2-135M-Instruct.Q4_1.gguf");

await using engine = await Engine.open({ ...readConfig(), threads, sequences: 1 });
const recorder = await Recorder.start(engine, {
  name: "prototype",
  title: "The engine beside a bare loop over the same graph",
  settings: { rounds, threads, newTokens: TOKENS },
  patience,
});

for (const dtype of options.dtypes as Dtype[]) {
  const prompts = promptMaker(engine, { model, dtype });
  // Builds the graph where it is missing, and warms it.
  const [first] = await prompts.make(1, DEPTHS[0]);
  await generate(engine, { model, dtype, prompt: first, tokens: 16 });
  const { directory, used } = await builtGraph(dtype);
  const { info } = JSON.parse(readFileSync(path.join(directory, "hfms.json"), "utf8"));
  const raw = await openRawGraph(path.join(directory, "model.onnx"), info, { threads, capacity: 512 });
  const name = { engine: `engine, ${used}`, raw: `bare loop, ${used}` };
  const turns = [
    async (depth: number) => {
      const [prompt] = await prompts.make(1, depth);
      const { timings } = await generate(engine, { model, dtype, prompt, tokens: TOKENS + 1 });
      recorder.add(`decode past ${depth}`, name.engine, "tokens/s", timings.generate_per_second);
    },
    async (depth: number) => {
      const start = performance.now();
      await raw.decode(depth, TOKENS);
      const rate = (TOKENS * 1000) / (performance.now() - start);
      recorder.add(`decode past ${depth}`, name.raw, "tokens/s", rate);
    },
  ];
  await raw.decode(16, 16);
  for (let round = 0; round < rounds; round++) {
    process.stderr.write(`round ${round + 1} of ${rounds}\n`);
    for (const depth of DEPTHS) {
      for (const turn of round % 2 === 0 ? turns : turns.toReversed()) {
        await recorder.sample(() => turn(depth));
      }
    }
  }
  for (const depth of DEPTHS) {
    recorder.ratio(`decode past ${depth}`, name.engine, name.raw, { atLeast: 0.95 });
  }
}
recorder.finish(options.out);

/** Where the engine put the graph that it runs. */
async function builtGraph(dtype: Dtype): Promise<{ directory: string; used: string }> {
  const { graphs } = await engine.info(model);
  const wanted = dtype === "auto" ? "int8" : dtype;
  const graph = graphs.find((one) => one.dtype === wanted);
  if (!graph) throw new Error(`${model} has no ${wanted} graph on this machine`);
  return { directory: graph.directory, used: wanted };
}
