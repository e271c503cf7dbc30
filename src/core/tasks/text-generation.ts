import { HfmsError } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { AnswerEvent, GenerateEvent, GenerateRequest, SamplingParams } from "../requests.js";
import { Sampler } from "../runtime/sampler.js";
import type { GenerationRequest } from "../scheduler/generation-sequence.js";
import type { Grammar } from "../text/grammar/index.js";
import { Answer } from "./answer.js";
import { compileAnswerFormat } from "./answer-format.js";
import { answerCounts, best, done, type Finished, wholeAnswer } from "./answers.js";
import { drafterOf } from "./draft-model.js";
import { EventQueue } from "./event-queue.js";
import { type Prompt, readPrompt, tokenBudget } from "./prompt.js";

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
  if (model.runner.kind === "encoder-decoder") {
    const { answerSourceText } = await import("./source-text.js");
    return yield* answerSourceText(model, request, signal);
  }
  if (model.runner.kind !== "decoder")
    throw new HfmsError("unsupported_task", `${model.manifest.model} makes no text`);
  refuseSourceTextParams(model, request);
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
    yield done(model, prompt.tokens.length, finished, choices, start);
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

function checkEcho({ echo, raw, prompt }: GenerateRequest): void {
  if (!echo || (raw && typeof prompt === "string") || (typeof prompt === "object" && "tokens" in prompt))
    return;
  throw new HfmsError("invalid_request", "echo repeats a prompt that is given as it is, not a conversation", {
    hint: "use it with --raw",
    param: "echo",
  });
}

/** What only models with an encoder know. */
const sourceTextParams = [
  "beams",
  "lengthPenalty",
  "noRepeatNgramSize",
  "sourceLanguage",
  "targetLanguage",
  "textTask",
] as const;

function refuseSourceTextParams({ manifest }: LoadedModel, request: GenerateRequest): void {
  const param = sourceTextParams.find((name) => request[name] !== undefined);
  if (param === undefined || (param === "beams" && request.beams === 1)) return;
  throw new HfmsError("invalid_request", `${manifest.model} has no encoder: it knows no ${param}`, {
    hint: "models that translate and summarize do, such as t5-small",
    param,
  });
}

/** What the request says goes before what the model's authors chose. */
function sampling(request: GenerateRequest, defaults: SamplingParams): SamplingParams {
  const own = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
  return { ...defaults, ...own };
}
