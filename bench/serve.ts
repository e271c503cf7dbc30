// `hfms serve` over HTTP: beside llama.cpp's llama-server, beside hfms's own engine, with many connections. See README.md.
import { once } from "node:events";
import path from "node:path";
import { Worker } from "node:worker_threads";
import { type Dtype, Engine, type GenerateRequest, readConfig } from "hfms";
import { HttpLoad, percentile } from "./http-load.ts";
import { readOptions } from "./options.ts";
import { llamaVersion } from "./peers/llama-bench.ts";
import { startLlamaServer } from "./peers/llama-server.ts";
import { Recorder } from "./report.ts";
import { type Served, startHfms } from "./served.ts";
import { embeddingTexts, madeText, seededRandom } from "./text.ts";

const WORDS = 40;
const TOKENS = 64;
const CLIENTS = [1, 4, 16];
/** Answers that a client reads in a sample, one after the other; a client alone reads twice as many. */
const TURNS = 4;
const CONNECTIONS = 64;

const options = readOptions({ rounds: 5, dtypes: ["auto", "int4"] });
const { peers, rounds, threads, patience } = options;
const dtypes = options.dtypes as Dtype[];
const file = "SmolLM2-135M-Instruct";
const model = path.join(peers, "models", `${file}.Q4_1.gguf`);
const encoder = path.join(peers, "models", "minilm");
const most = Math.max(...CLIENTS);

const config = { ...readConfig(), threads };
const recorder = await startRecorder();
const random = seededRandom(5);

for (const dtype of dtypes) await besideLlama(dtype);
await besideEngine(dtypes[0]);
await embeddings();
recorder.finish(options.out);

/** Streamed chats, from one to sixteen clients. */
async function besideLlama(dtype: Dtype): Promise<void> {
  const peer = ({ auto: "Q8_0", int8: "Q8_0", int4: "Q4_0" } as Record<string, string>)[dtype];
  await using servers = new AsyncDisposableStack();
  const own = servers.use(await startHfms({ models: [model], threads, flags: ["--dtype", dtype] }));
  const other = servers.use(await startLlamaServer(peers, `${file}.${peer}.gguf`, { slots: most, threads }));
  const name = `hfms serve ${dtype === "auto" ? "auto (int8)" : dtype}`;
  const contenders = { [name]: own, [`llama-server ${peer}`]: other };
  for (const { url } of Object.values(contenders)) await chats(url, chatBodies(most), most);
  for (let round = 0; round < rounds; round++) {
    process.stderr.write(`${dtype}, round ${round + 1} of ${rounds}\n`);
    for (const clients of CLIENTS) {
      const bodies = chatBodies(clients === 1 ? 2 * TURNS : clients * TURNS);
      const read: number[] = [];
      for (const [contender, { url }] of inTurn(Object.entries(contenders), round)) {
        const { rate, first95, promptTokens } = await recorder.sample(() => chats(url, bodies, clients));
        read.push(promptTokens);
        recorder.add(throughput(clients), contender, "tokens/s", rate);
        recorder.add(firstToken(clients), contender, "ms", first95);
      }
      if (read[0] !== read[1]) throw new Error(`the same chats came to ${read.join(" and ")} tokens`);
    }
  }
  const atLeast: Record<number, number> =
    dtype === "int4" ? { 1: 1, 4: 1, 16: 1 } : { 1: 1.1, 4: 2, 16: 1.8 };
  for (const clients of CLIENTS) {
    recorder.ratio(throughput(clients), name, `llama-server ${peer}`, { atLeast: atLeast[clients] });
    recorder.ratio(firstToken(clients), name, `llama-server ${peer}`, { atMost: 1 });
  }
}

/** The same sixteen chats over HTTP and from the engine that the server has inside: models in processes of their own. */
async function besideEngine(dtype: Dtype): Promise<void> {
  await using servers = new AsyncDisposableStack();
  const server = servers.use(await startHfms({ models: [model], threads, flags: ["--dtype", dtype] }));
  const engine = servers.use(await Engine.open(config, { isolation: "process" }));
  const [measure, http, direct] = [`${most} chats at once, ${dtype}`, "hfms serve", "its engine alone"];
  await chats(server.url, chatBodies(most), most);
  await engineRate(engine, dtype, chatBodies(most));
  const delays: number[] = [];
  for (let round = 0; round < rounds; round++) {
    process.stderr.write(`beside the engine, round ${round + 1} of ${rounds}\n`);
    const bodies = chatBodies(most);
    const turns = [
      async () => {
        const { result, health } = await withHealth(server, () => chats(server.url, bodies, most));
        delays.push(percentile(health, 0.99));
        recorder.add(measure, http, "tokens/s", result.rate);
      },
      async () => recorder.add(measure, direct, "tokens/s", await engineRate(engine, dtype, bodies)),
    ];
    for (const turn of inTurn(turns, round)) await recorder.sample(turn);
  }
  recorder.ratio(measure, http, direct, { atLeast: 0.93 });
  recorder.check(`/health beside ${most} chats, p99`, "ms", delays, { atMost: 20 });
}

/** Texts one by one over many connections, and all of them as one request to an engine. */
async function embeddings(): Promise<void> {
  await using servers = new AsyncDisposableStack();
  const server = servers.use(await startHfms({ models: [encoder], threads }));
  const engine = servers.use(await Engine.open(config));
  using load = new HttpLoad(server.url, CONNECTIONS);
  const texts = embeddingTexts();
  const bodies = texts.map((input) => ({ model: encoder, input, encoding_format: "base64" }));
  const [measure, http, offline] = [
    "MiniLM, single texts",
    `hfms serve, ${CONNECTIONS} connections`,
    "embed, all texts",
  ];
  const embed = async () => {
    const start = performance.now();
    for await (const _ of engine.embed({ model: encoder, input: texts }));
    return (texts.length * 1000) / (performance.now() - start);
  };
  await load.posts("/v1/embeddings", bodies, CONNECTIONS);
  await embed();
  const delays: number[] = [];
  for (let round = 0; round < rounds; round++) {
    process.stderr.write(`embeddings, round ${round + 1} of ${rounds}\n`);
    const turns = [
      async () => {
        const { result: ms, health } = await withHealth(server, () =>
          load.posts("/v1/embeddings", bodies, CONNECTIONS),
        );
        delays.push(percentile(health, 0.99));
        recorder.add(measure, http, "texts/s", (texts.length * 1000) / ms);
      },
      async () => recorder.add(measure, offline, "texts/s", await embed()),
    ];
    for (const turn of inTurn(turns, round)) await recorder.sample(turn);
  }
  recorder.ratio(measure, http, offline, { atLeast: 0.8 });
  recorder.check(`/health beside ${CONNECTIONS} connections, p99`, "ms", delays, { atMost: 20 });
}

async function startRecorder(): Promise<Recorder> {
  await using engine = await Engine.open(config);
  return Recorder.start(engine, {
    name: "serve",
    title: "hfms serve",
    settings: { rounds, threads, words: WORDS, newTokens: TOKENS, temperature: 0 },
    patience,
    peers: { "llama.cpp": await llamaVersion(peers) },
  });
}

/** New ones every time, so that nothing of an earlier answer is reused but what all chats begin with. */
function chatBodies(count: number): object[] {
  return Array.from({ length: count }, () => ({
    model,
    messages: [{ role: "user", content: madeText(WORDS, random) }],
    max_tokens: TOKENS,
    ignore_eos: true,
    temperature: 0,
    stream: true,
    stream_options: { include_usage: true },
  }));
}

async function chats(url: string, bodies: object[], clients: number) {
  using load = new HttpLoad(url, clients);
  const found = await load.chats(bodies, clients);
  const wanted = bodies.length * TOKENS;
  if (found.completionTokens !== wanted)
    throw new Error(`${found.completionTokens} tokens instead of ${wanted}`);
  return found;
}

/** Tokens per second of the same chats at once, from the first request to the end of the last answer. */
async function engineRate(engine: Engine, dtype: Dtype, bodies: object[]): Promise<number> {
  const start = performance.now();
  const counts = await Promise.all(
    (bodies as { messages: { role: "user"; content: string }[] }[]).map(async ({ messages }) => {
      const request: GenerateRequest = {
        model,
        dtype,
        prompt: messages,
        maxTokens: TOKENS,
        ignoreEos: true,
        temperature: 0,
      };
      let count = 0;
      for await (const event of engine.generate(request)) {
        if (event.type === "done") count = event.usage.completion_tokens;
      }
      return count;
    }),
  );
  return (counts.reduce((sum, count) => sum + count, 0) * 1000) / (performance.now() - start);
}

/** How long /health took, in milliseconds, while the work went on. */
async function withHealth<T>(
  { url }: Served,
  work: () => Promise<T>,
): Promise<{ result: T; health: number[] }> {
  const probe = new Worker(new URL("./health-probe.ts", import.meta.url), { workerData: { url } });
  await once(probe, "online");
  const result = await work();
  probe.postMessage("stop");
  const [health] = (await once(probe, "message")) as [number[]];
  return { result, health };
}

function throughput(clients: number): string {
  return clients === 1 ? "1 client" : `${clients} clients`;
}

function firstToken(clients: number): string {
  return `${throughput(clients)}: first text, p95`;
}

function inTurn<T>(all: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? all : all.toReversed();
}
