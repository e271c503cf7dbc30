import { setImmediate } from "node:timers/promises";
import { aborted, HfmsError, throwIfAborted } from "../errors.js";
import type { AnswerBatch } from "../runtime/answer-batch.js";
import type { EncoderDecoder, Source } from "../runtime/encoder-decoder.js";
import { capacityFor, KvCache } from "../runtime/kv-cache.js";
import { type AnswerSequence, SampledAnswer, SearchedAnswer, type SearchRequest } from "./answer-sequence.js";
import type { GenerationLimits } from "./generation-loop.js";
import type { GenerationEnd, GenerationRequest } from "./generation-sequence.js";
import { SourceCache } from "./source-cache.js";

/** Tokens of source texts that are read in one run, padding included. */
const READ_TOKENS = 1024;

/**
 * Answers source texts for any number of callers at once: a text is read once, then its answer takes steps beside the
 * others. Answers with the same number of rows (beams) are one batch; the batches take turns. No answer's tokens depend
 * on the others.
 */
export class AnswerLoop implements AsyncDisposable {
  readonly #model: EncoderDecoder;
  readonly #limits: GenerationLimits;
  readonly #sources: SourceCache;
  #waiting: AnswerSequence[] = [];
  /** By the rows of their answers; the answers by place. */
  readonly #batches = new Map<number, { batch: AnswerBatch; answers: AnswerSequence[] }>();
  #pump: Promise<void> | undefined;
  #arrivals = 0;
  readonly #runs = new Map<AbortController, readonly AnswerSequence[]>();
  #disposed = false;

  constructor(model: EncoderDecoder, limits: GenerationLimits) {
    this.#model = model;
    this.#limits = limits;
    this.#sources = new SourceCache(limits.prefixBytes, KvCache.positionBytes(model.info));
  }

  /** Answers that are not over. */
  get size(): number {
    return this.#waiting.length + this.#active().length;
  }

  /** Takes one token after the other as the request's sampler chooses. Errors are those of GenerationLoop. */
  generate(request: GenerationRequest & { start: number }): Promise<GenerationEnd> {
    return this.#answer(new SampledAnswer(request), request.signal);
  }

  /** Searches for the likeliest answers, best first. */
  async search(request: SearchRequest): Promise<GenerationEnd & Pick<SearchedAnswer, "hypotheses">> {
    const answer = new SearchedAnswer(request);
    const end = await this.#answer(answer, request.signal);
    return { ...end, hypotheses: answer.hypotheses };
  }

  async #answer(answer: AnswerSequence, signal: AbortSignal | undefined): Promise<GenerationEnd> {
    if (this.#disposed) throw new HfmsError("internal_error", "the model is unloaded");
    throwIfAborted(signal);
    const needed = this.#cost([answer]);
    if (needed > this.#limits.cacheBytes) {
      const megabytes = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MB`;
      throw new HfmsError(
        "out_of_memory",
        `the request needs ${megabytes(needed)} of keys and values; there is memory for ${megabytes(this.#limits.cacheBytes)}`,
        { hint: "shorten the text, or ask for fewer tokens or beams", param: "maxTokens" },
      );
    }
    answer.arrival = this.#arrivals++;
    this.#waiting.push(answer);
    const abort = (): void => this.#fail(answer, aborted(signal));
    signal?.addEventListener("abort", abort, { once: true });
    this.#start();
    try {
      return await answer.result;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  #start(): void {
    if (this.#pump || this.#disposed) return;
    this.#pump = this.#work()
      .catch((error: unknown) => {
        for (const answer of [...this.#waiting, ...this.#active()]) this.#fail(answer, error);
      })
      .then(() => {
        this.#pump = undefined;
        if (this.#waiting.length > 0) this.#start();
      });
  }

  async #work(): Promise<void> {
    // A turn first: requests that come together are seen together.
    await setImmediate();
    while (!this.#disposed) {
      const next = this.#admitted();
      if (next.length > 0) await this.#read(next);
      for (const [rows, { batch, answers }] of this.#batches) {
        this.#clear(batch, answers);
        if (answers.length > 0) await this.#step(rows, batch, answers);
        else {
          this.#batches.delete(rows);
          await batch[Symbol.asyncDispose]();
        }
      }
      if (this.#batches.size === 0 && this.#waiting.length === 0) return;
    }
  }

  /** Who is let in now, in order of rank: as many as there is room for, and as one run reads well. */
  #admitted(): AnswerSequence[] {
    const active = this.#active();
    const chosen: AnswerSequence[] = [];
    const ranked = this.#waiting.toSorted((a, b) => b.priority - a.priority || a.arrival - b.arrival);
    for (const answer of ranked) {
      const together = [...active, ...chosen, answer];
      const rows = together.reduce((sum, one) => sum + one.rows, 0);
      const alone = together.length === 1;
      if (!alone && (rows > this.#limits.sequences || this.#cost(together) > this.#limits.cacheBytes)) break;
      const longest = Math.max(...[...chosen, answer].map(({ promptLength }) => promptLength));
      if (chosen.length > 0 && longest * (chosen.length + 1) > READ_TOKENS) break;
      chosen.push(answer);
    }
    this.#waiting = this.#waiting.filter((answer) => !chosen.includes(answer));
    return chosen;
  }

  /** Bytes that answers come to need: in each batch as long as the longest. */
  #cost(answers: readonly AnswerSequence[]): number {
    const { answerLength } = this.#model.info;
    const byRows = Map.groupBy(answers, ({ rows }) => rows);
    let positions = 0;
    for (const [rows, group] of byRows) {
      const answer = Math.max(...group.map(({ maxTokens }) => capacityFor(maxTokens + 1, answerLength)));
      const source = Math.max(...group.map(({ promptLength }) => promptLength));
      positions += group.length * (rows * answer + source);
    }
    return positions * KvCache.positionBytes(this.#model.info);
  }

  /** Reads the texts of answers, and lets these join. Several that fail together are read again, each by itself. */
  async #read(answers: AnswerSequence[]): Promise<void> {
    for (const answer of answers) answer.begun = performance.now();
    const known = new Map(answers.map((answer) => [answer, this.#sources.get(answer.request.prompt)]));
    const unread = answers.filter((answer) => !known.get(answer));
    const texts = new Map(unread.map(({ request: { prompt } }) => [prompt.join(), prompt]));
    const fresh = new Map<string, Source>();
    if (texts.size > 0) {
      const read = await this.#run(unread, (signal) => this.#model.encode([...texts.values()], signal), {
        apart: unread.length > 1,
      });
      if (!read && unread.length > 1) {
        for (const answer of answers) if (!answer.ended) await this.#read([answer]);
        return;
      }
      for (const [i, key] of [...texts.keys()].entries()) if (read) fresh.set(key, read[i]);
      for (const [key, text] of texts) if (read) this.#sources.keep(text, fresh.get(key) as Source);
    }
    for (const answer of answers) {
      if (answer.ended) continue;
      const hit = known.get(answer);
      const source = hit ?? (fresh.get(answer.request.prompt.join()) as Source);
      answer.cachedTokens = hit ? answer.promptLength : 0;
      answer.prompted = performance.now();
      this.#guard(answer, () => answer.request.onPrompt?.({ cachedTokens: answer.cachedTokens }));
      if (!answer.ended) this.#guard(answer, () => this.#join(answer, source));
    }
  }

  #join(answer: AnswerSequence, source: Source): void {
    const { rows } = answer;
    const known = this.#batches.get(rows) ?? { batch: this.#model.createBatch(rows), answers: [] };
    this.#batches.set(rows, known);
    known.batch.join(source, 1);
    known.answers.push(answer);
    answer.state = "running";
  }

  /** Takes out who is over; the last one of the batch fills the place. */
  #clear(batch: AnswerBatch, answers: AnswerSequence[]): void {
    for (let place = answers.length - 1; place >= 0; place--) {
      if (!answers[place].ended) continue;
      batch.leave(place);
      const last = answers.pop() as AnswerSequence;
      if (place < answers.length) answers[place] = last;
    }
  }

  async #step(rows: number, batch: AnswerBatch, answers: readonly AnswerSequence[]): Promise<void> {
    const { vocabularySize } = this.#model.info;
    const tokens = answers.flatMap((answer) => answer.nextTokens);
    const pasts = answers.map(({ outputLength }) => outputLength);
    const paired = rows === 1 && this.#limits.sequences > 1 && (await this.#model.pairsSteps());
    const run = this.#run(answers, (signal) => batch.step(tokens, pasts, { signal, paired }));
    const logits = await run;
    if (!logits) return;
    for (const [place, answer] of answers.entries()) {
      if (answer.ended) continue;
      const rowOf = (row: number): Float32Array => {
        const at = (place * rows + row) * vocabularySize;
        return logits.subarray(at, at + vocabularySize);
      };
      const taken = this.#guard(answer, () => answer.advance(rowOf));
      if (!taken || answer.ended) continue;
      for (const copy of taken.copies) batch.copyRow(place, copy);
      if (taken.finishReason) {
        answer.state = "ended";
        answer.resolve(taken.finishReason);
      }
    }
    // Choosing among the beams of a large vocabulary takes long: others get their turn.
    await setImmediate();
  }

  #active(): AnswerSequence[] {
    return [...this.#batches.values()].flatMap(({ answers }) => answers.filter(({ ended }) => !ended));
  }

  /** An error of one caller's functions ends that caller's answer alone. */
  #guard<T>(answer: AnswerSequence, call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      this.#fail(answer, error);
      return undefined;
    }
  }

  /** An error of a run ends the answers that are in it, unless they can be tried apart; so does the end of all of them the run. */
  async #run<T>(
    answers: readonly AnswerSequence[],
    work: (signal: AbortSignal) => Promise<T>,
    { apart = false } = {},
  ): Promise<T | undefined> {
    const controller = new AbortController();
    this.#runs.set(controller, [...answers]);
    try {
      return await work(controller.signal);
    } catch (error) {
      if (!apart || controller.signal.aborted) for (const answer of answers) this.#fail(answer, error);
      return undefined;
    } finally {
      this.#runs.delete(controller);
    }
  }

  #fail(answer: AnswerSequence, error: unknown): void {
    if (answer.ended) return;
    answer.state = "ended";
    this.#waiting = this.#waiting.filter((other) => other !== answer);
    answer.reject(error);
    for (const [controller, answers] of this.#runs) {
      if (answers.every(({ ended }) => ended)) controller.abort();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const reading = [...this.#runs.values()].flat();
    for (const answer of [...this.#waiting, ...reading, ...this.#active()])
      this.#fail(answer, new HfmsError("aborted", "the model was unloaded"));
    await this.#pump;
    for (const { batch } of this.#batches.values()) await batch[Symbol.asyncDispose]();
    this.#batches.clear();
  }
}
