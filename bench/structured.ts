// What it costs that every token fits a JSON Schema: the same number of tokens with the schema and without, in turns. See
// README.md.
import path from "node:path";
import { type Dtype, Engine, type OutputFormat, readConfig } from "hfms";
import { generateTogether, promptMaker } from "./generation.ts";
import { readOptions } from "./options.ts";
import { Recorder } from "./report.ts";

const PROMPT = 64;
const TOKENS = 128;
const STREAMS = [1, 8];
/** More items than so many tokens can hold, so that no answer ends before. */
const ITEMS = 64;
const format: OutputFormat = {
  type: "json_schema",
  schema: {
    type: "array",
    minItems: ITEMS,
    items: {
      type: "object",
      properties: {
        id: { type: "integer", minimum: 1 },
        name: { type: "string", minLength: 1, maxLength: 40 },
        price: { type: "number" },
        color: { enum: ["red", "green", "blue", "black", "white"] },
        inStock: { type: "boolean" },
        tags: { type: "array", items: { type: "string", maxLength: 20 }, maxItems: 4 },
      },
      required: ["id", "name", "price", "color", "inStock", "tags"],
      additionalProperties: false,
    },
  },
};

const options = readOptions({ rounds: 7, dtypes: ["auto"] });
const { peers, rounds, threads, patience } = options;
const dtypes = options.dtypes as Dtype[];
const model = path.join(peers, "models", "SmolLM2-135M-Instruct.Q4_1.gguf");

await using engine = await Engine.open({ ...readConfig(), threads });
const maker = promptMaker(engine, { model, dtype: dtypes[0] });

/** Tokens per second, and milliseconds until every stream has its first token. */
async function measure(dtype: Dtype, streams: number, schema: boolean) {
  const prompts = await maker.make(streams, PROMPT);
  return generateTogether(engine, { model, dtype, prompts, tokens: TOKENS, ...(schema && { format }) });
}

const recorder = await Recorder.start(engine, {
  name: "structured",
  title: "Answers that fit a JSON Schema",
  settings: { rounds, threads, prompt: PROMPT, newTokens: TOKENS, temperature: 0 },
  patience,
});
// Loads and warms every graph.
for (const dtype of dtypes) await measure(dtype, Math.max(...STREAMS), false);
// The first request with a schema waits until the vocabulary is sorted and the schema compiled.
const { firstMs } = await measure(dtypes[0], 1, true);
recorder.check("first token of the first request with a schema", "ms", [firstMs]);
for (let round = 0; round < rounds; round++) {
  process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  for (const dtype of dtypes) {
    for (const streams of STREAMS) {
      for (const schema of round % 2 === 0 ? [false, true] : [true, false]) {
        const { generation, firstMs } = await recorder.sample(() => measure(dtype, streams, schema));
        recorder.add(generating(streams), contender(dtype, schema), "tokens/s", generation);
        recorder.add(`${streams} to the first token`, contender(dtype, schema), "ms", firstMs);
      }
    }
  }
}
for (const dtype of dtypes) {
  for (const streams of STREAMS) {
    recorder.ratio(generating(streams), contender(dtype, true), contender(dtype, false), { atLeast: 0.9 });
  }
}
recorder.finish(options.out);

function generating(streams: number): string {
  return `${streams} generating`;
}

function contender(dtype: Dtype, schema: boolean): string {
  return `${dtype === "auto" ? "auto (int8)" : dtype}, ${schema ? "JSON Schema" : "free"}`;
}
