import { HfmsError, throwIfAborted } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { EmbedEvent, EmbedInput, EmbedRequest } from "../requests.js";
import { loadVectorLayers, normalize, outputSize, type VectorLayer } from "../text/sentence-layers.js";
import { type PoolingMode, readSentenceConfig, type SentenceConfig } from "../text/sentence-transformers.js";
import { type EncoderRow, makeRows, runRows } from "./encoder-rows.js";
import { windows } from "./input-window.js";
import { pool } from "./pooling.js";
import { checkTokenIds } from "./token-ids.js";

/** Texts that are looked at together to be sorted by length. */
const WINDOW = 512;

/** Yields one vector [hidden] for each text, in the order of the input, then `done`. */
export async function* embed(
  model: LoadedModel,
  request: EmbedRequest,
  signal?: AbortSignal,
): AsyncGenerator<EmbedEvent> {
  if (model.runner.kind !== "encoder") {
    throw new HfmsError("unsupported_task", `${model.manifest.model} makes no embeddings`, {
      hint: "use an encoder, e.g. minilm",
    });
  }
  const { batcher } = model.runner;
  const sentence = await readSentenceConfig(model.textDirectory);
  const layers = await vectorLayers(model, sentence);
  const settings = readSettings(model, request, sentence, layers);
  const read = (states: Float32Array, offset: number, length: number): Float32Array =>
    finish(pool(states, offset, length, settings.hiddenSize, settings.pooling), settings);
  const start = performance.now();
  let index = 0;
  let promptTokens = 0;

  for await (const texts of windows(request.input, WINDOW, signal)) {
    throwIfAborted(signal);
    const first = index;
    const rows = await makeRows(texts, (text, i) => makeRow(model, settings, text, first + i), signal);
    const { batchTokens } = settings;
    const vectors = await runRows(batcher, rows, read, { signal, batchTokens });
    for (const [i, { ids, truncated }] of rows.entries()) {
      promptTokens += ids.length;
      yield { type: "embedding", index: index + i, embedding: vectors[i], tokens: ids.length, truncated };
    }
    index += rows.length;
  }
  yield {
    type: "done",
    count: index,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    timings: { load_ms: model.ready.loadMs, embed_ms: performance.now() - start },
  };
}

interface Settings {
  pooling: readonly PoolingMode[];
  layers: readonly VectorLayer[];
  normalize: boolean;
  dimensions?: number;
  hiddenSize: number;
  prefix: string;
  maxLength: number;
  batchTokens?: number;
  truncate: boolean;
  /** Special tokens around a text: their number in front and behind. */
  specials: { before: number; after: number };
}

/** The layers' weights are read once. */
async function vectorLayers(model: LoadedModel, { layers }: SentenceConfig): Promise<VectorLayer[]> {
  model.vectorLayers ??= await loadVectorLayers(model.textDirectory, layers);
  return model.vectorLayers;
}

function readSettings(
  { tokenizer, runner, prompts }: LoadedModel,
  request: EmbedRequest,
  sentence: SentenceConfig,
  layers: readonly VectorLayer[],
): Settings {
  const info = (runner as Extract<LoadedModel["runner"], { kind: "encoder" }>).encoder.info;
  const { dimensions, batchTokens } = request;
  const pooling =
    request.pooling === undefined || request.pooling === "auto" ? sentence.pooling : [request.pooling];
  const size = outputSize(layers, pooling.length * info.hiddenSize);
  if (dimensions !== undefined && !(Number.isInteger(dimensions) && dimensions > 0 && dimensions <= size)) {
    throw new HfmsError("invalid_request", `dimensions is ${dimensions}; the model has 1 to ${size}`, {
      param: "dimensions",
    });
  }
  if (batchTokens !== undefined && !(Number.isInteger(batchTokens) && batchTokens > 0)) {
    throw new HfmsError(
      "invalid_request",
      `batchTokens is ${batchTokens}; it must be a whole number above 0`,
      {
        param: "batchTokens",
      },
    );
  }
  const prefix = prefixOf(request, { ...prompts, ...sentence.prompts }, sentence.defaultPrompt);
  if (prefix !== "" && !sentence.includePrompt) {
    throw new HfmsError(
      "unsupported_model",
      "the model leaves its prompts out of pooling, which hfms does not",
      {
        hint: "give texts without a prompt",
        param: "promptName",
      },
    );
  }
  const around = tokenizer.encode("", { addSpecialTokens: true });
  const probe = tokenizer.encode("a", { addSpecialTokens: true });
  const before = around.findIndex((id, i) => probe[i] !== id);
  return {
    pooling,
    layers,
    normalize: request.normalize ?? sentence.normalize,
    dimensions,
    hiddenSize: info.hiddenSize,
    prefix,
    maxLength: Math.min(sentence.maxLength ?? info.contextLength, info.contextLength),
    batchTokens,
    truncate: request.truncate ?? false,
    specials: before < 0 ? { before: around.length, after: 0 } : { before, after: around.length - before },
  };
}

function prefixOf(
  request: EmbedRequest,
  prompts: Record<string, string>,
  standard: string | undefined,
): string {
  if (request.prefix !== undefined) return request.prefix;
  const name = request.promptName ?? standard;
  if (name === undefined) return "";
  if (Object.hasOwn(prompts, name)) return prompts[name];
  const names = Object.keys(prompts);
  throw new HfmsError("invalid_request", `the model has no prompt "${name}"`, {
    hint: names.length > 0 ? `it has ${names.join(", ")}` : "it has none; give the words with --prefix",
    param: "promptName",
  });
}

interface Row extends EncoderRow {
  truncated?: boolean;
}

function makeRow(model: LoadedModel, settings: Settings, input: EmbedInput, index: number): Row {
  const { maxLength, specials, truncate } = settings;
  const ids =
    typeof input === "string"
      ? model.tokenizer.encode(settings.prefix + input, { addSpecialTokens: true })
      : input;
  if (typeof input !== "string") {
    const { vocabularySize } = model.manifest.info;
    checkTokenIds(ids, { vocabularySize, what: `text ${index + 1}`, param: "input" });
  }
  if (ids.length <= maxLength) return { ids };
  if (!truncate) {
    throw new HfmsError(
      "context_length_exceeded",
      `text ${index + 1} has ${ids.length} tokens; the model takes ${maxLength}`,
      { hint: "split it, or have it cut with truncate", param: "input" },
    );
  }
  const kept = ids.slice(0, maxLength - specials.after);
  return { ids: [...kept, ...ids.slice(ids.length - specials.after)], truncated: true };
}

function finish(vector: Float32Array, settings: Settings): Float32Array {
  for (const layer of settings.layers) vector = layer.apply(vector);
  const cut = settings.dimensions === undefined ? vector : vector.slice(0, settings.dimensions);
  return settings.normalize ? normalize(cut) : cut;
}
