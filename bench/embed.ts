// MiniLM embeddings of 512 texts through the engine beside transformers.js, in turns. See README.md.
import path from "node:path";
import { type Dtype, Engine, readConfig } from "hfms";
import { readOptions } from "./options.ts";
import { startTransformersJs } from "./peers/transformers-js.ts";
import { Recorder } from "./report.ts";
import { embeddingTexts } from "./text.ts";

const PEER = "transformers.js fp32";
/** Texts that are embedded alone too, to see whether their neighbours in a batch changed them. */
const SAMPLE = Array.from({ length: 32 }, (_, i) => i * 16);
const options = readOptions({ rounds: 5, dtypes: ["fp32", "int8"] });
const { peers, rounds, threads, patience } = options;
const dtypes = options.dtypes as Dtype[];
const model = path.join(peers, "models", "minilm");
const texts = embeddingTexts();

await using engine = await Engine.open({ ...readConfig(), threads });
using peer = await startTransformersJs(path.join(peers, "models"), threads);

interface Embedded {
  ms: number;
  tokens: number;
  vectors: Float32Array[];
}

/** All texts through the engine, from the first word in to the last vector out. */
async function embed(dtype: Dtype, input: string[]): Promise<Embedded> {
  const vectors: Float32Array[] = [];
  const start = performance.now();
  for await (const event of engine.embed({ model, dtype, input })) {
    if (event.type === "embedding") vectors.push(event.embedding);
    if (event.type === "done")
      return { ms: performance.now() - start, tokens: event.usage.total_tokens, vectors };
  }
  throw new Error("the engine ended without a result");
}

// Loads and warms every graph.
const reference = await peer.embed(texts);
const warm = new Map<Dtype, Embedded>();
for (const dtype of dtypes) {
  await embed(dtype, texts);
  warm.set(dtype, await embed(dtype, texts));
}
const tokens = warm.get(dtypes[0])!.tokens;
const words = texts.reduce((sum, text) => sum + text.split(" ").length, 0);

const recorder = await Recorder.start(engine, {
  name: "embed",
  title: "MiniLM embeddings beside transformers.js",
  settings: { rounds, threads, texts: texts.length, words, tokens },
  patience,
  peers: { "transformers.js": peer.version },
});
function record(contender: string, ms: number): void {
  recorder.add("texts", contender, "texts/s", (texts.length * 1000) / ms);
  recorder.add("tokens", contender, "tokens/s", (tokens * 1000) / ms);
}
const turns: (() => Promise<void>)[] = [
  async () => record(PEER, (await peer.embed(texts)).ms),
  ...dtypes.map((dtype) => async () => record(`hfms ${dtype}`, (await embed(dtype, texts)).ms)),
];
for (let round = 0; round < rounds; round++) {
  process.stderr.write(`round ${round + 1} of ${rounds}\n`);
  for (const turn of round % 2 === 0 ? turns : turns.toReversed()) await recorder.sample(turn);
}

const targets: Partial<Record<Dtype, { speed: number; cosine: number }>> = {
  fp32: { speed: 5, cosine: 0.99999 },
  int8: { speed: 9, cosine: 0.999 },
};
for (const dtype of dtypes) {
  const target = targets[dtype];
  recorder.ratio("texts", `hfms ${dtype}`, PEER, { atLeast: target?.speed });
  const cosines = warm.get(dtype)!.vectors.map((vector, i) => cosine(vector, reference.vectors[i]));
  const mean = cosines.reduce((sum, value) => sum + value, 0) / cosines.length;
  recorder.check(`cosine to transformers.js, ${dtype}, mean of the texts`, "", [mean]);
  recorder.check(`cosine to transformers.js, ${dtype}, worst text`, "", [Math.min(...cosines)], {
    atLeast: target?.cosine,
  });
  const alone = await Promise.all(SAMPLE.map(async (i) => (await embed(dtype, [texts[i]])).vectors[0]));
  const same = SAMPLE.filter((i, n) => equal(alone[n], warm.get(dtype)!.vectors[i])).length;
  recorder.check(`texts with the same bits alone and in a batch, ${dtype}`, `of ${SAMPLE.length}`, [same], {
    atLeast: SAMPLE.length,
  });
}
if (dtypes.includes("fp32") && dtypes.includes("int8")) recorder.ratio("texts", "hfms int8", "hfms fp32");
recorder.finish(options.out);

function cosine(a: Float32Array, b: Float32Array): number {
  let product = 0;
  let squaresA = 0;
  let squaresB = 0;
  for (let i = 0; i < a.length; i++) {
    product += a[i] * b[i];
    squaresA += a[i] * a[i];
    squaresB += b[i] * b[i];
  }
  return product / Math.sqrt(squaresA * squaresB);
}

function equal(a: Float32Array, b: Float32Array): boolean {
  return a.every((value, i) => value === b[i]);
}
