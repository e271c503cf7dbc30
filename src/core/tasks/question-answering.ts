import { HfmsError, throwIfAborted } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { AnswerQuestionsEvent, AnswerQuestionsRequest, QuestionInput } from "../requests.js";
import type { PlacedToken } from "../text/types.js";
import { bestAnswers } from "./answer-spans.js";
import { copyLogits, makeRows, runRows } from "./encoder-rows.js";
import { windows } from "./input-window.js";
import { layoutOf, requireTokenHead, requireWhole, stretches, WINDOW } from "./token-head.js";

/** transformers' max_seq_len and doc_stride. */
const MOST_TOKENS = 384;
const STRIDE = 128;

/** Yields the best answers to each question, in their order, then `done`. */
export async function* answerQuestions(
  model: LoadedModel,
  request: AnswerQuestionsRequest,
  signal?: AbortSignal,
): AsyncGenerator<AnswerQuestionsEvent> {
  const { input, topK = 1, maxAnswerTokens = 15, allowNone = false } = request;
  requireWhole("topK", topK, 1);
  requireWhole("maxAnswerTokens", maxAnswerTokens, 1);
  requireWhole("maxTokens", request.maxTokens, 1);
  requireWhole("stride", request.stride, 0);
  const { batcher } = requireTokenHead(model, "question-answering");
  const start = performance.now();
  const make = questionReader(model, request);
  let index = 0;
  let promptTokens = 0;
  for await (const questions of windows(input, WINDOW, signal)) {
    throwIfAborted(signal);
    const first = index;
    const read = await makeRows(questions, (question, i) => make(question, first + i), signal);
    const rows = read.flatMap(({ pieces }) => pieces);
    const results = await runRows(batcher, rows, copyLogits, { signal });
    let row = 0;
    for (const [i, { pieces }] of read.entries()) {
      const tokens = pieces.reduce((sum, { ids }) => sum + ids.length, 0);
      const said = pieces.map((piece) => ({ ...piece, logits: results[row++] }));
      const { context } = questions[i];
      promptTokens += tokens;
      const answers = bestAnswers(said, { context, topK, maxAnswerTokens, allowNone });
      yield { type: "span", index: index++, answers, tokens };
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
  lead: number;
  starts: number[];
}

/** Makes rows of a question and a piece of its context: as many as the context needs. */
function questionReader(
  model: LoadedModel,
  { maxTokens, stride }: AnswerQuestionsRequest,
): (input: QuestionInput, index: number) => { pieces: Piece[] } {
  const { tokenizer, manifest } = model;
  const { head } = requireTokenHead(model, "question-answering");
  const layout = layoutOf(tokenizer, 2);
  const most = Math.min(maxTokens ?? MOST_TOKENS, manifest.info.contextLength);
  const overlap = stride ?? Math.min(STRIDE, Math.floor(most / 2));
  const { cls } = tokenizer.specialTokens;
  const clsId = cls === undefined ? undefined : tokenizer.tokenToId(cls);
  return ({ question, context }, index) => {
    const asked = tokenizer.encode(question, { addSpecialTokens: false });
    const placed = tokenizer.locate(context);
    const name = `question ${index + 1}`;
    if (placed.length === 0) throw new HfmsError("empty_input", `${name} has no context`, { param: "input" });
    const room = most - layout.specials - asked.length;
    if (room < 1) {
      throw new HfmsError(
        "context_length_exceeded",
        `${name} has ${asked.length} tokens; with its context there is room for ${most}`,
        { param: "input" },
      );
    }
    const lead = layout.second + asked.length;
    const pieces = stretches(placed.length, room, Math.min(overlap, room - 1)).map(({ start, end }) => {
      const part = placed.slice(start, end);
      const { ids, typeIds } = tokenizer.join(
        asked,
        part.map(({ id }) => id),
      );
      const starts = [...ids.keys()].filter((i) => ids[i] === clsId);
      // A table of one segment has no row for a second one.
      return { ids, typeIds: head.segments === 1 ? ids.map(() => 0) : typeIds, placed: part, lead, starts };
    });
    return { pieces };
  };
}
