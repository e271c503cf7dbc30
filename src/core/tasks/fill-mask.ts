import { HfmsError, throwIfAborted } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { Filling, FillMasksEvent, FillMasksRequest } from "../requests.js";
import type { Tokenizer } from "../text/types.js";
import { type EncoderRow, makeRows, runRows } from "./encoder-rows.js";
import { windows } from "./input-window.js";
import { requireTokenHead, requireWhole, WINDOW } from "./token-head.js";

/** A mask takes as many numbers as the vocabulary has tokens. */
const MOST_MASKS = 128;

/** Yields the tokens that fit each mask of each text, in their order, then `done`. */
export async function* fillMasks(
  model: LoadedModel,
  request: FillMasksRequest,
  signal?: AbortSignal,
): AsyncGenerator<FillMasksEvent> {
  const { input, topK = 5, targets } = request;
  requireWhole("topK", topK, 1);
  const { head, batcher } = requireTokenHead(model, "fill-mask");
  const { tokenizer } = model;
  const only = targets && targetIds(tokenizer, targets);
  const start = performance.now();
  const make = rowMaker(model);
  let index = 0;
  let promptTokens = 0;
  for await (const texts of windows(input, WINDOW, signal)) {
    throwIfAborted(signal);
    const first = index;
    const rows = await makeRows(texts, (text, i) => make(text, first + i), signal);
    const read = (_states: Float32Array, _offset: number, _length: number, logits?: Float32Array) => {
      const all = logits as Float32Array;
      const width = head.vocabulary;
      return Array.from({ length: all.length / width }, (_, mask) =>
        bestTokens(all.subarray(mask * width, (mask + 1) * width), topK, only),
      );
    };
    const results = await runRows(batcher, rows, read, { signal });
    for (const [i, row] of rows.entries()) {
      promptTokens += row.ids.length;
      const masks = results[i].map((best, mask) => best.map((one) => filling(tokenizer, row, mask, one)));
      yield { type: "fillings", index: index++, masks, tokens: row.ids.length };
    }
  }
  yield {
    type: "done",
    count: index,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    timings: { load_ms: model.ready.loadMs, run_ms: performance.now() - start },
  };
}

interface Row extends EncoderRow {
  places: number[];
}

function rowMaker({ tokenizer, manifest }: LoadedModel): (text: string, index: number) => Row {
  const { contextLength } = manifest.info;
  const { mask } = tokenizer.specialTokens;
  const maskId = mask === undefined ? undefined : tokenizer.tokenToId(mask);
  if (mask === undefined || maskId === undefined) {
    throw new HfmsError("unsupported_model", `${manifest.model}'s tokenizer has no mask token`, {
      param: "model",
    });
  }
  return (text, index) => {
    const row = tokenizer.join(tokenizer.encode(text, { addSpecialTokens: false }));
    const places = [...row.ids.keys()].filter((i) => row.ids[i] === maskId);
    const name = `text ${index + 1}`;
    if (places.length === 0) {
      throw new HfmsError("invalid_request", `${name} has no ${mask}`, {
        hint: `write ${mask} where a word is to be found`,
        param: "input",
      });
    }
    if (places.length > MOST_MASKS) {
      throw new HfmsError(
        "invalid_request",
        `${name} has ${places.length} masks; ${MOST_MASKS} are the most`,
        {
          param: "input",
        },
      );
    }
    if (row.ids.length > contextLength) {
      throw new HfmsError(
        "context_length_exceeded",
        `${name} has ${row.ids.length} tokens; the model takes ${contextLength}`,
        { hint: "shorten it", param: "input" },
      );
    }
    return { ...row, places };
  };
}

function targetIds(tokenizer: Tokenizer, targets: readonly string[]): number[] {
  const ids = targets.map((target) => {
    const id = tokenizer.tokenToId(target) ?? tokenizer.encode(target, { addSpecialTokens: false }).at(0);
    if (id !== undefined) return id;
    throw new HfmsError("invalid_request", `the target "${target}" has no token`, { param: "targets" });
  });
  if (ids.length === 0) throw new HfmsError("invalid_request", "there is no target", { param: "targets" });
  return [...new Set(ids)];
}

interface Best {
  token: number;
  score: number;
}

/** The likeliest tokens, best first; probabilities are among all tokens, also where only some may be chosen. */
function bestTokens(logits: Float32Array, count: number, only: readonly number[] | undefined): Best[] {
  let largest = Number.NEGATIVE_INFINITY;
  for (const logit of logits) largest = Math.max(largest, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  const score = (token: number): number => Math.exp(logits[token] - largest) / sum;
  if (only)
    return [...only]
      .map((token) => ({ token, score: score(token) }))
      .sort(byScore)
      .slice(0, count);
  const best: number[] = [];
  for (let token = 0; token < logits.length; token++) {
    if (best.length === count && logits[token] <= logits[best[count - 1]]) continue;
    let at = best.length;
    while (at > 0 && logits[best[at - 1]] < logits[token]) at--;
    best.splice(at, 0, token);
    if (best.length > count) best.pop();
  }
  return best.map((token) => ({ token, score: score(token) }));
}

function byScore(a: Best, b: Best): number {
  return b.score - a.score;
}

/** Of several masks the others stay, so they are written out. */
function filling(tokenizer: Tokenizer, { ids, places }: Row, mask: number, { token, score }: Best): Filling {
  const filled = ids.map((id, i) => (i === places[mask] ? token : id));
  return {
    token,
    text: tokenizer.decode([token]),
    score,
    sequence: tokenizer.decode(filled, { skipSpecialTokens: places.length === 1 }),
  };
}
