import { HfmsError } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { AnswerEvent, Choice, GenerateEvent, GenerateRequest, SamplingParams } from "../requests.js";
import { Sampler } from "../runtime/sampler.js";
import type { GenerationEnd, GenerationRequest } from "../scheduler/generation-sequence.js";
import type { Grammar } from "../text/grammar/index.js";
import { Answer } from "./answer.js";
import { compileAnswerFormat } from "./answer-format.js";
import { drafterOf } from "./draft-model.js";
import { EventQueue } from "./event-queue.js";
import { type Prompt, readPrompt, tokenBudget } from "./prompt.js";

/** Answers of one request, at most. */
const MOST_ANSWERS = 64;

/**
 * Yields the answers as they come, then `done`. An abort, or leaving early, stops them. `draft` is a smaller model that
 * guesses ahead.
 */
export async function* generate(
  model: LoadedModel,
  request: GenerateRequest,
  signal?: AbortSignal,
  draft?: LoadedModel,
): AsyncGenerator<GenerateEvent> {
  if (model.runner.kind !== "decoder")
    throw new HfmsError("unsupported_task", `${model.manifest.model} makes no text`);
  const { loop, decoder } = model.runner;
  const { made, kept } = answerCounts(request);
  const drafter = draft && drafterOf(draft, model);
  checkEcho(request);
  const prompt = await readPrompt(model, request);
  const maxTokens = tokenBudget(
    prompt.tokens.length,
    { contextLength: decoder.info.contextLength, mostTokens: loop.mostTokens },
    request,
  );
  const params = sampling(request, model.manifest.sampling);
  const grammar = await compileAnswerFormat(model, prompt, request, signal);
  const queue = new EventQueue<AnswerEvent>();
  const stopped = new AbortController();
  const all = signal ? AbortSignal.any([signal, stopped.signal]) : stopped.signal;
  const job: Job = { model, drafter, request, prompt, grammar, maxTokens, params, queue, signal: all };
  // The best are known at the end: nothing is sent before.
  const silent = made > kept;
  const start = performance.now();
  const work = runAll(job, made, silent);
  work.then(
    () => queue.end(),
    (error: unknown) => queue.end(error),
  );
  try {
    yield* queue;
    const finished = await work;
    const choices = best(finished, kept);
    const ends = new Set(model.manifest.stopTokens);
    if (silent) for (const choice of choices) yield* wholeAnswer(choice, ends);
    yield done(model, prompt, finished, choices, start);
  } finally {
    stopped.abort();
    await work.catch(() => {});
  }
}

interface Job {
  model: LoadedModel;
  drafter?: GenerationRequest["drafter"];
  request: GenerateRequest;
  prompt: Prompt;
  grammar?: Grammar;
  maxTokens: number;
  params: SamplingParams;
  queue: EventQueue<AnswerEvent>;
  signal: AbortSignal;
}

interface Finished {
  choice: Choice;
  /** Mean log probability of its tokens. */
  score: number;
  end: GenerationEnd;
}

/** The first answer's prompt is computed before the others begin: they find it there. */
async function runAll(job: Job, count: number, silent: boolean): Promise<Finished[]> {
  const { promise: prompted, resolve } = Promise.withResolvers<void>();
  const first = runOne(job, 0, silent, resolve);
  if (count === 1) return [await first];
  await Promise.race([prompted, first]);
  const others = Array.from({ length: count - 1 }, (_, i) => runOne(job, i + 1, silent));
  return Promise.all([first, ...others]);
}

async function runOne(job: Job, index: number, silent: boolean, onPrompt?: () => void): Promise<Finished> {
  const { model, drafter, request, prompt, grammar, maxTokens, params, queue, signal } = job;
  const { runner, tokenizer, manifest } = model;
  const { loop } = runner as Extract<LoadedModel["runner"], { kind: "decoder" }>;
  const { seed, ignoreEos } = params;
  const stopTokens = manifest.stopTokens;
  const ends = new Set(ignoreEos ? [] : stopTokens);
  // Answers of one seed differ from each other, and each is the same every time.
  const own = { ...params, ...(seed !== undefined && { seed: (seed + index) % Number.MAX_SAFE_INTEGER }) };
  const sampler = new Sampler(silent ? { ...own, logprobs: own.logprobs ?? 0 } : own, {
    prompt: prompt.tokens,
    stopTokens,
  });
  const answer = new Answer({
    index,
    tokenizer,
    prompt: prompt.tokens,
    stop: request.stop ?? [],
    keep: prompt.keep,
    parser: prompt.newParser?.(),
    emit: (event) => {
      if (!silent) queue.push(event);
    },
  });
  using matcher = grammar?.matcher();
  const { echo, logprobs } = request;
  const end = await loop.generate({
    prompt: prompt.tokens,
    maxTokens,
    sampler,
    matcher,
    stopTokens: ends,
    signal,
    priority: request.priority,
    speculation: speculates(request, loop.alone),
    drafter,
    promptLogprobs: echo && logprobs !== undefined ? logprobs : undefined,
    onPrompt: (start) => {
      if (echo) answer.echo(promptText(job), prompt.tokens, start.logprobs);
      onPrompt?.();
    },
    onToken: (sampled) => answer.push(sampled, ends.has(sampled.token)),
  });
  const choice = answer.finish(end.finishReason);
  if (silent && logprobs === undefined) delete choice.logprobs;
  return { choice, score: answer.logprob / Math.max(1, answer.tokens.length), end };
}

function promptText({ model, request, prompt }: Job): string {
  return typeof request.prompt === "string" ? request.prompt : model.tokenizer.decode(prompt.tokens);
}

/** Guessing ahead changes roundings, so it is not for whoever wants the same tokens every time. */
function speculates(
  { speculation, draftModel, deterministic, seed }: GenerateRequest,
  alone: boolean,
): boolean {
  return (speculation ?? (alone || draftModel !== undefined)) && !deterministic && seed === undefined;
}

function best(finished: readonly Finished[], count: number): Choice[] {
  if (finished.length === count) return finished.map(({ choice }) => choice);
  const ranked = [...finished].sort((a, b) => b.score - a.score || a.choice.index - b.choice.index);
  return ranked.slice(0, count).map(({ choice }, index) => ({ ...choice, index }));
}

function* wholeAnswer(choice: Choice, ends: ReadonlySet<number>): Iterable<AnswerEvent> {
  const { index, text, reasoning, toolCalls = [], logprobs } = choice;
  const tokens = choice.tokens.filter((token) => !ends.has(token));
  if (reasoning) yield { type: "reasoning", index, text: reasoning, tokens: [] };
  if (text !== "") yield { type: "text", index, text, tokens, ...(logprobs && { logprobs }) };
  for (const [call, { id, name, arguments: json }] of toolCalls.entries())
    yield { type: "tool_call", index, call, id, name, arguments: json };
}

function done(
  model: LoadedModel,
  { tokens: { length: promptTokens } }: Prompt,
  finished: readonly Finished[],
  choices: Choice[],
  start: number,
): GenerateEvent {
  const [{ end: first }] = finished;
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const completionTokens = sum(finished.map(({ choice }) => choice.tokens.length));
  const generateMs = performance.now() - start - first.queueMs - first.promptMs;
  const drafted = sum(finished.map(({ end }) => end.draftedTokens));
  const computed = promptTokens - first.cachedTokens;
  return {
    type: "done",
    text: choices[0].text,
    tokens: choices[0].tokens,
    finishReason: choices[0].finishReason,
    choices,
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
      cached_tokens: first.cachedTokens,
    },
    timings: {
      load_ms: model.ready.loadMs,
      queue_ms: first.queueMs,
      prompt_ms: first.promptMs,
      generate_ms: generateMs,
      prompt_per_second: rate(computed, first.promptMs),
      // The first token of each comes out of the prompt's own run.
      generate_per_second: rate(completionTokens - finished.length, generateMs),
      ...(drafted > 0 && {
        drafted_tokens: drafted,
        accepted_tokens: sum(finished.map(({ end }) => end.acceptedTokens)),
      }),
    },
  };
}

/** How many answers are made, and how many are given. */
function answerCounts({ n = 1, bestOf }: GenerateRequest): { made: number; kept: number } {
  for (const [param, value] of Object.entries({ n, bestOf: bestOf ?? n })) {
    if (Number.isInteger(value) && value >= 1 && value <= MOST_ANSWERS) continue;
    throw new HfmsError(
      "invalid_request",
      `${param} is ${value}; it must be a whole number from 1 to ${MOST_ANSWERS}`,
      { param },
    );
  }
  if (bestOf !== undefined && bestOf < n) {
    throw new HfmsError("invalid_request", `bestOf is ${bestOf}, fewer than the ${n} answers asked for`, {
      param: "bestOf",
    });
  }
  return { made: bestOf ?? n, kept: n };
}

function checkEcho({ echo, raw, prompt }: GenerateRequest): void {
  if (!echo || (raw && typeof prompt === "string") || (typeof prompt === "object" && "tokens" in prompt))
    return;
  throw new HfmsError("invalid_request", "echo repeats a prompt that is given as it is, not a conversation", {
    hint: "use it with --raw",
    param: "echo",
  });
}

/** What the request says goes before what the model's authors chose. */
function sampling(request: GenerateRequest, defaults: SamplingParams): SamplingParams {
  const own = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
  return { ...defaults, ...own };
}

function rate(count: number, ms: number): number {
  return count > 0 && ms > 0 ? (count * 1000) / ms : 0;
}
