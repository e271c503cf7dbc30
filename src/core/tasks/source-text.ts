import { HfmsError } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { AnswerEvent, GenerateEvent, GenerateRequest } from "../requests.js";
import { Sampler } from "../runtime/sampler.js";
import type { GenerationEnd } from "../scheduler/generation-sequence.js";
import type { Grammar } from "../text/grammar/index.js";
import { Answer } from "./answer.js";
import { compileAnswerFormat } from "./answer-format.js";
import { type AnswerPlan, answerPlan } from "./answer-plan.js";
import { answerCounts, best, done, type Finished, wholeAnswer } from "./answers.js";
import { EventQueue } from "./event-queue.js";
import { readSource, type SourcePrompt } from "./source-prompt.js";

/**
 * Answers a source text with an encoder-decoder: translates, summarizes, follows an instruction. Yields the answers as
 * they come, then `done`; those of a search come whole, since the best one is known at the end.
 */
export async function* answerSourceText(
  model: LoadedModel,
  request: GenerateRequest,
  signal?: AbortSignal,
): AsyncGenerator<GenerateEvent> {
  refuse(model, request);
  const { made, kept } = answerCounts(request);
  const prompt = readSource(model, request);
  const plan = answerPlan(model.manifest, request, { source: prompt.tokens, own: prompt.own });
  const grammar = await compileAnswerFormat(
    model,
    { tokens: prompt.tokens, format: request.format },
    request,
    signal,
  );
  const queue = new EventQueue<AnswerEvent>();
  const stopped = new AbortController();
  const all = signal ? AbortSignal.any([signal, stopped.signal]) : stopped.signal;
  const searches = plan.beams > 1;
  const silent = searches || made > kept;
  const job: Job = { model, request, prompt, plan, grammar, queue, silent, signal: all };
  const start = performance.now();
  const work = searches ? search(job, kept) : sampleAll(job, made);
  work.then(
    () => queue.end(),
    (error: unknown) => queue.end(error),
  );
  try {
    yield* queue;
    const finished = await work;
    const choices = best(finished, kept);
    if (silent) for (const choice of choices) yield* wholeAnswer(choice, plan.stopTokens);
    yield done(model, prompt.tokens.length, finished, choices, start);
  } finally {
    stopped.abort();
    await work.catch(() => {});
  }
}

interface Job {
  model: LoadedModel;
  request: GenerateRequest;
  prompt: SourcePrompt;
  plan: AnswerPlan;
  grammar?: Grammar;
  queue: EventQueue<AnswerEvent>;
  /** Nothing is sent before the end. */
  silent: boolean;
  signal: AbortSignal;
}

function loopOf({ runner }: LoadedModel) {
  return (runner as Extract<LoadedModel["runner"], { kind: "encoder-decoder" }>).loop;
}

/** The `count` likeliest answers of one search. */
async function search(job: Job, count: number): Promise<Finished[]> {
  const { model, request, prompt, plan, signal } = job;
  const { hypotheses, ...end } = await loopOf(model).search({
    ...plan,
    prompt: prompt.tokens,
    logprobs: request.logprobs,
    priority: request.priority,
    signal,
  });
  return hypotheses.slice(0, count).map(({ tokens, score, logprobs }, index) => {
    const answer = newAnswer(job, index);
    let reason: GenerationEnd["finishReason"] = "length";
    for (const [i, token] of tokens.entries()) {
      const ends = plan.stopTokens.has(token);
      const goesOn = answer.push({ token, logprob: logprobs?.[i] }, ends);
      if (ends) reason = "stop";
      if (!goesOn) break;
    }
    return { choice: answer.finish(reason), score, end };
  });
}

/** The first answer's text is read before the others begin: they find it there. */
async function sampleAll(job: Job, count: number): Promise<Finished[]> {
  const { promise: read, resolve } = Promise.withResolvers<void>();
  const first = sample(job, 0, resolve);
  if (count === 1) return [await first];
  await Promise.race([read, first]);
  const others = Array.from({ length: count - 1 }, (_, i) => sample(job, i + 1));
  return Promise.all([first, ...others]);
}

async function sample(job: Job, index: number, onPrompt?: () => void): Promise<Finished> {
  const { model, request, prompt, plan, grammar, signal } = job;
  const { params, start, rules, stopTokens, maxTokens } = plan;
  const { seed, logprobs } = params;
  // Answers of one seed differ from each other, and each is the same every time.
  const own = { ...params, ...(seed !== undefined && { seed: (seed + index) % Number.MAX_SAFE_INTEGER }) };
  const sampler = new Sampler(job.silent ? { ...own, logprobs: logprobs ?? 0 } : own, {
    prompt: [start],
    stopTokens,
    rules,
  });
  const answer = newAnswer(job, index);
  using matcher = grammar?.matcher();
  const end = await loopOf(model).generate({
    ...{ prompt: prompt.tokens, start, maxTokens, sampler, matcher, stopTokens, signal },
    priority: request.priority,
    onPrompt: () => onPrompt?.(),
    onToken: (sampled) => answer.push(sampled, stopTokens.has(sampled.token)),
  });
  const choice = answer.finish(end.finishReason);
  if (job.silent && logprobs === undefined) delete choice.logprobs;
  return { choice, score: answer.logprob / Math.max(1, answer.tokens.length), end };
}

function newAnswer({ model, request, queue, silent }: Job, index: number): Answer {
  return new Answer({
    index,
    tokenizer: model.tokenizer,
    // The answer is a text of its own.
    prompt: [],
    stop: request.stop ?? [],
    emit: (event) => {
      if (!silent) queue.push(event);
    },
  });
}

/** What has no meaning where the prompt is not the beginning of the answer. */
function refuse({ manifest }: LoadedModel, { echo, draftModel, speculation }: GenerateRequest): void {
  const asked = { echo, draftModel, speculation };
  const param = (["echo", "draftModel", "speculation"] as const).find((name) => asked[name]);
  if (param === undefined) return;
  throw new HfmsError(
    "invalid_request",
    `${manifest.model} answers a text with another one: it knows no ${param}`,
    {
      hint: `leave out ${param}`,
      param,
    },
  );
}
