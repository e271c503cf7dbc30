import { expect } from "vitest";
import type { SamplingParams } from "../../../src/core/requests.js";
import type { Decoder } from "../../../src/core/runtime/decoder.js";
import { KvCache } from "../../../src/core/runtime/kv-cache.js";
import { createRandom, type Random } from "../../../src/core/runtime/random.js";
import { Sampler } from "../../../src/core/runtime/sampler.js";
import { type GenerationLimits, GenerationLoop } from "../../../src/core/scheduler/generation-loop.js";
import type { GenerationEnd } from "../../../src/core/scheduler/generation-sequence.js";

interface MixedRequest {
  prompt: number[];
  maxTokens: number;
  params: SamplingParams;
  stopTokens: Set<number>;
  priority: number;
  /** It comes when all of the mix together have that many tokens. */
  arrival: number;
  /** It is cancelled when it has that many tokens, or when all together have. */
  cancel?: { own: number } | { all: number };
}

interface Mix {
  limits: GenerationLimits;
  requests: MixedRequest[];
}

interface Outcome {
  tokens: number[];
  /** What each token was chosen from. */
  logits: Float32Array[];
  end?: GenerationEnd;
  error?: unknown;
}

interface MixSizes {
  requests: number;
  /** Tokens of the longest prompt, and of the longest answer. */
  prompt: number;
  answer: number;
  /** Tokens that prompts are made of. */
  vocabulary: readonly number[];
}

/** Arrivals, lengths, shared beginnings, cancellations, sampling settings and limits, all out of one seed. */
export function randomMix(seed: number, { info }: Decoder, sizes: MixSizes): Mix {
  const random = createRandom(seed);
  const below = (n: number): number => Math.floor(random() * n);
  const from = <T>(list: readonly T[]): T => list[below(list.length)];
  const context = Math.min(info.contextLength, sizes.prompt + sizes.answer);
  const tokens = (count: number): number[] => Array.from({ length: count }, () => from(sizes.vocabulary));
  const positions = 256 * KvCache.positionBytes(info);
  const prompts: number[][] = [];
  const requests = Array.from({ length: sizes.requests }, (): MixedRequest => {
    const maxTokens = 1 + below(sizes.answer);
    const room = Math.max(1, context - maxTokens);
    const length = 1 + below(from([3, 20, 70, room]));
    // A conversation goes on behind what came before, or shares its beginning only.
    const known = prompts.length > 0 && random() < 0.5 ? from(prompts) : [];
    const begins = random() < 0.5 ? known : known.slice(0, below(known.length + 1));
    const prompt = [...begins, ...tokens(length)].slice(0, room);
    prompts.push(prompt);
    return {
      prompt,
      maxTokens,
      params: sampling(random, below),
      stopTokens: new Set(random() < 0.2 ? tokens(4) : []),
      priority: from([0, 0, 0, 1, -1]),
      arrival: from([0, 0, below(sizes.requests * sizes.answer * 0.4)]),
      cancel: from([
        ...new Array(5),
        { own: 1 + below(sizes.answer) },
        { all: below(sizes.requests * sizes.answer * 0.5) },
      ]),
    };
  });
  const limits = {
    sequences: from([1, 2, 3, 4, 8, 16]),
    // From room for one at a time to room for all.
    cacheBytes: positions * from([3, 6, 12, 64]),
    prefixBytes: positions * from([0, 1, 4]),
  };
  return { limits, requests };
}

function sampling(random: Random, below: (n: number) => number): SamplingParams {
  const seed = below(1000);
  const settings: SamplingParams[] = [
    { temperature: 0 },
    { temperature: 0, repetitionPenalty: 1.3, logprobs: 2 },
    { temperature: 1, seed },
    { temperature: 0.7, topP: 0.9, topK: 40, seed },
    { temperature: 1.3, minP: 0.05, presencePenalty: 0.5, frequencyPenalty: 0.3, seed },
    { temperature: 1, typicalP: 0.8, logitBias: { 7: 2, 9: -5 }, seed },
  ];
  return settings[Math.floor(random() * settings.length)];
}

/** Runs a mix, and each of its requests alone: tokens, and the logits that they were chosen from, are equal bits. */
export async function expectSameAsAlone(decoder: Decoder, mix: Mix, name: string): Promise<void> {
  const together = await runTogether(decoder, mix);
  for (const [i, request] of mix.requests.entries()) {
    const { tokens, logits, end, error } = together[i];
    const alone = await runAlone(decoder, mix.limits, request);
    const what = `${name}, request ${i}`;
    if (!end) expect(error, what).toMatchObject({ code: "aborted" });
    else
      expect([end.finishReason, tokens.length], what).toEqual([alone.end?.finishReason, alone.tokens.length]);
    expect(tokens, what).toEqual(alone.tokens.slice(0, tokens.length));
    const different = logits.findIndex((row, j) => Buffer.compare(bytes(row), bytes(alone.logits[j])) !== 0);
    expect(different, `${what}: the first logits that differ`).toBe(-1);
  }
}

function bytes({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Runs the requests through one loop, each at its time. */
async function runTogether(decoder: Decoder, { limits, requests }: Mix): Promise<Outcome[]> {
  await using loop = new GenerationLoop(decoder, limits);
  let count = 0;
  let running = 0;
  const outcomes: Promise<Outcome>[] = [];
  const cancels: { at: number; controller: AbortController }[] = [];
  const { promise: started, resolve: allStarted } = Promise.withResolvers<void>();
  const waiting = [...requests.entries()].sort(([, a], [, b]) => a.arrival - b.arrival);
  const advance = (): void => {
    for (const { at, controller } of cancels) if (count >= at) controller.abort();
    // When nobody runs, no token will come: the next one is let in.
    while (waiting.length > 0 && (waiting[0][1].arrival <= count || running === 0)) {
      const [index, request] = waiting.shift() as [number, MixedRequest];
      const controller = new AbortController();
      if (request.cancel && "all" in request.cancel) cancels.push({ at: request.cancel.all, controller });
      running++;
      outcomes[index] = runOne(loop, request, controller, () => {
        count++;
        advance();
      }).finally(() => {
        running--;
        advance();
      });
    }
    if (waiting.length === 0) allStarted();
  };
  advance();
  await started;
  return await Promise.all(outcomes);
}

/** A request by itself, from the beginning to the end that it has when nobody cancels it. */
async function runAlone(decoder: Decoder, limits: GenerationLimits, request: MixedRequest): Promise<Outcome> {
  await using loop = new GenerationLoop(decoder, limits);
  return await runOne(loop, { ...request, cancel: undefined }, new AbortController());
}

async function runOne(
  loop: GenerationLoop,
  { prompt, maxTokens, params, stopTokens, priority, cancel }: MixedRequest,
  controller: AbortController,
  onToken?: () => void,
): Promise<Outcome> {
  const outcome: Outcome = { tokens: [], logits: [] };
  const sampler = new Sampler(params, { prompt, stopTokens });
  try {
    outcome.end = await loop.generate({
      prompt,
      maxTokens,
      stopTokens,
      priority,
      signal: controller.signal,
      sampler: {
        sample: (logits) => {
          outcome.logits.push(logits.slice());
          return sampler.sample(logits);
        },
      },
      onToken: ({ token }) => {
        outcome.tokens.push(token);
        if (cancel && "own" in cancel && outcome.tokens.length >= cancel.own) controller.abort();
        onToken?.();
        return true;
      },
    });
  } catch (error) {
    outcome.error = error;
  }
  return outcome;
}
