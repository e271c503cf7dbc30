import { HfmsError, throwIfAborted } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { ClassifierInfo } from "../models/types.js";
import type { ClassifyInput, TruncatedPart } from "../requests.js";
import { copyLogits, type EncoderRow, makeRows, runRows } from "./encoder-rows.js";
import { windows } from "./input-window.js";

/** Inputs that are looked at together to be sorted by length. */
const WINDOW = 512;

/** What a model with a classification head says of one input. */
export interface Classified {
  index: number;
  /** [labels]. */
  logits: Float32Array;
  tokens: number;
  truncated?: TruncatedPart;
}

export interface ClassifyOptions {
  truncate?: boolean;
  /** What an input is called where it is too long, from its index on: "text 3". */
  name(index: number): string;
  /** The request's field that holds the inputs. */
  param: string;
  signal?: AbortSignal;
}

/** The head that a model was built with. Throws unsupported_task where it has none. */
export function requireClassifier({ manifest }: LoadedModel): ClassifierInfo {
  const classifier = manifest.info.kind === "encoder" ? manifest.info.classifier : undefined;
  if (classifier) return classifier;
  throw new HfmsError("unsupported_task", `${manifest.model} has no classification head`, { param: "model" });
}

/** Logits of texts and of pairs of texts, in their order. */
export async function* classifyAll(
  model: LoadedModel,
  inputs: Iterable<ClassifyInput>,
  options: ClassifyOptions,
): AsyncGenerator<Classified> {
  const { runner } = model;
  if (runner.kind !== "encoder") throw new HfmsError("internal_error", "a classifier without an encoder");
  const { signal } = options;
  const make = rowMaker(model, options);
  let first = 0;
  for await (const window of windows(inputs, WINDOW, signal)) {
    throwIfAborted(signal);
    const rows = await makeRows(window, (input, i) => make(input, first + i), signal);
    const results = await runRows(runner.batcher, rows, copyLogits, { signal });
    for (const [i, { ids, truncated }] of rows.entries()) {
      yield { index: first + i, logits: results[i], tokens: ids.length, ...(truncated && { truncated }) };
    }
    first += rows.length;
  }
}

interface Row extends EncoderRow {
  truncated?: TruncatedPart;
}

function rowMaker(
  model: LoadedModel,
  { truncate, name, param }: ClassifyOptions,
): (input: ClassifyInput, index: number) => Row {
  const { tokenizer, manifest } = model;
  const { contextLength } = manifest.info;
  const { segments } = requireClassifier(model);
  // The query of all documents is read once.
  let last = { text: "", ids: [] as number[] };
  const idsOf = (text: string): number[] => {
    if (text !== last.text) last = { text, ids: tokenizer.encode(text, { addSpecialTokens: false }) };
    return last.ids;
  };
  return (input, index) => {
    const [text, pair] = typeof input === "string" ? [input] : [input.text, input.pair];
    const first = idsOf(text);
    const second = pair === undefined ? undefined : tokenizer.encode(pair, { addSpecialTokens: false });
    const row = tokenizer.join(first, second);
    if (second && segments === 1 && row.typeIds.includes(1)) {
      throw new HfmsError("unsupported_task", `${manifest.model} reads one text at a time, not two`, {
        param,
      });
    }
    const { length } = row.ids;
    if (length <= contextLength) return row;
    if (!truncate) {
      throw new HfmsError(
        "context_length_exceeded",
        `${name(index)} has ${length} tokens; the model takes ${contextLength}`,
        { hint: "shorten it, or have it cut with truncate", param },
      );
    }
    const specials = length - first.length - (second?.length ?? 0);
    const kept = longestFirst([first.length, second?.length ?? 0], Math.max(0, contextLength - specials));
    return {
      ...tokenizer.join(first.slice(0, kept[0]), second?.slice(0, kept[1])),
      truncated: kept[1] === (second?.length ?? 0) ? "first" : kept[0] === first.length ? "second" : "both",
    };
  };
}

/**
 * How many tokens of two texts stay where there is room for so many: the longer one is cut until they are of one length,
 * then both are. Source: tokenizers, utils/truncation.rs, LongestFirst.
 */
function longestFirst([first, second]: [number, number], room: number): [number, number] {
  const shorter = Math.min(first, second);
  const half = Math.floor(room / 2);
  // The odd token goes to the longer one, and to the second where they are equal.
  const [short, long] = 2 * shorter >= room ? [half, room - half] : [shorter, room - shorter];
  return first > second ? [long, short] : [short, long];
}
