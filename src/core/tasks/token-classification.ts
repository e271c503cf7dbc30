import { HfmsError, throwIfAborted } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { ClassifyTokensEvent, ClassifyTokensRequest, Entity } from "../requests.js";
import type { PlacedToken } from "../text/types.js";
import { copyLogits, makeRows, runRows } from "./encoder-rows.js";
import { entitiesOf, type ScoredToken, withoutOverlaps } from "./entities.js";
import { windows } from "./input-window.js";
import { softmax } from "./scores.js";
import { layoutOf, requireTokenHead, requireWhole, stretches, WINDOW } from "./token-head.js";

/** Yields the entities of each text, in the order of the texts, then `done`. */
export async function* classifyTokens(
  model: LoadedModel,
  request: ClassifyTokensRequest,
  signal?: AbortSignal,
): AsyncGenerator<ClassifyTokensEvent> {
  const { input, aggregation = "simple", ignoreLabels = ["O"], stride } = request;
  requireWhole("stride", stride, 0);
  if (stride !== undefined && aggregation === "none") {
    throw new HfmsError("invalid_request", "stride joins what windows say of entities, and none makes none", {
      hint: "choose another aggregation",
      param: "stride",
    });
  }
  const { head, batcher } = requireTokenHead(model, "token-classification");
  const { tokenizer } = model;
  const { labels } = head;
  const start = performance.now();
  const ignored = new Set(ignoreLabels);
  const make = textReader(model, request);
  let index = 0;
  let promptTokens = 0;
  for await (const texts of windows(input, WINDOW, signal)) {
    throwIfAborted(signal);
    const first = index;
    const read = await makeRows(texts, (text, i) => make(text, first + i), signal);
    const rows = read.flatMap(({ pieces }) => pieces);
    const results = await runRows(batcher, rows, copyLogits, { signal });
    let row = 0;
    for (const [i, { pieces, truncated }] of read.entries()) {
      const entities: Entity[] = [];
      let tokens = 0;
      for (const { ids, placed, lead } of pieces) {
        const scored = scoresOf(placed, results[row++], { lead, width: labels.length });
        entities.push(...entitiesOf(scored, { text: texts[i], labels, aggregation, tokenizer }));
        tokens += ids.length;
      }
      const kept = entities.filter(({ label }) => !ignored.has(label));
      promptTokens += tokens;
      yield {
        type: "entities",
        index: index++,
        entities: pieces.length > 1 ? withoutOverlaps(kept) : kept,
        tokens,
        ...(truncated && { truncated }),
      };
    }
  }
  yield {
    type: "done",
    count: index,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    timings: { load_ms: model.ready.loadMs, run_ms: performance.now() - start },
  };
}

interface Piece {
  ids: number[];
  typeIds: number[];
  placed: PlacedToken[];
  /** Special tokens before the text. */
  lead: number;
}

interface ReadText {
  pieces: Piece[];
  truncated?: boolean;
}

function textReader(
  { tokenizer, manifest }: LoadedModel,
  { stride, truncate }: ClassifyTokensRequest,
): (text: string, index: number) => ReadText {
  const { contextLength } = manifest.info;
  const layout = layoutOf(tokenizer, 1);
  const room = Math.max(1, contextLength - layout.specials);
  const piece = (placed: PlacedToken[]): Piece => {
    const row = tokenizer.join(placed.map(({ id }) => id));
    return { ...row, placed, lead: layout.first };
  };
  return (text, index) => {
    const placed = tokenizer.locate(text);
    if (placed.length <= room) return { pieces: [piece(placed)] };
    if (stride !== undefined) {
      const parts = stretches(placed.length, room, Math.min(stride, room - 1));
      return { pieces: parts.map(({ start, end }) => piece(placed.slice(start, end))) };
    }
    if (truncate) return { pieces: [piece(placed.slice(0, room))], truncated: true };
    const length = placed.length + layout.specials;
    throw new HfmsError(
      "context_length_exceeded",
      `text ${index + 1} has ${length} tokens; the model takes ${contextLength}`,
      { hint: "have it read in windows with stride, or cut with truncate", param: "input" },
    );
  };
}

function scoresOf(
  placed: readonly PlacedToken[],
  logits: Float32Array,
  { lead, width }: { lead: number; width: number },
): ScoredToken[] {
  return placed.map((token, i) => {
    const index = lead + i;
    return { ...token, index, scores: softmax(logits.subarray(index * width, (index + 1) * width)) };
  });
}
