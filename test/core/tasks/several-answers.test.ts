import { describe, expect, it } from "vitest";
import type { GenerateRequest, SpelledLogprob } from "../../../src/core/requests.js";
import { engineHome, type Generated, generate, openEngine } from "../../engine-sandbox.js";
import { golden } from "../../golden/reference.js";
import { indexOfLargest } from "../../tiny-model.js";

const home = engineHome();
const llama = golden("llama-gqa");
const { prompts, allLogits } = llama.reference;
const [, prompt, longer] = prompts;
const plain = {
  model: llama.directory,
  dtype: "fp32",
  raw: true,
  temperature: 0,
  prompt: prompt.text,
} as const;
const drawn = { ...plain, temperature: 1.2, maxTokens: 12, seed: 40 } as const;

const mean = (logprobs: SpelledLogprob[]) =>
  logprobs.reduce((sum, { logprob }) => sum + logprob!, 0) / logprobs.length;
const textOf = ({ events }: Generated, index: number) =>
  events.map((event) => (event.type === "text" && event.index === index ? event.text : "")).join("");

describe("several answers", () => {
  it("are what requests with the seeds that follow give alone, streamed side by side", async () => {
    const engine = await openEngine(home());
    const done = await generate(engine, { ...drawn, n: 4 });
    expect(done.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    expect(new Set(done.choices.map(({ text }) => text)).size).toBe(4);
    for (const { index, text, tokens } of done.choices) {
      const alone = await generate(await openEngine(home()), { ...drawn, seed: drawn.seed + index });
      expect([tokens, text]).toEqual([alone.tokens, alone.text]);
      expect(textOf(done, index)).toBe(text);
    }
    expect([done.text, done.tokens]).toEqual([done.choices[0].text, done.choices[0].tokens]);
    expect(done.usage).toMatchObject({
      prompt_tokens: prompt.tokens.length,
      completion_tokens: 48,
      total_tokens: prompt.tokens.length + 48,
    });
  });

  it("end each by itself", async () => {
    const engine = await openEngine(home());
    const free = await generate(engine, { ...drawn, n: 3 });
    const { text } = free.choices[1];
    const stop = ["no such text", text.slice(4, 7)];
    const done = await generate(engine, { ...drawn, n: 3, stop });
    expect(done.choices[1]).toMatchObject({ finishReason: "stop", stop: stop[1] });
    expect(done.choices[1].text).toBe(text.slice(0, text.indexOf(stop[1])));
    for (const [i, choice] of done.choices.entries()) {
      if (free.choices[i].text.includes(stop[1])) continue;
      expect(choice).toEqual(free.choices[i]);
      expect(choice.finishReason).toBe("length");
    }
    const counts = done.choices.map(({ tokens }) => tokens.length);
    expect(done.usage.completion_tokens).toBe(counts.reduce((a, b) => a + b));
  });

  it("are the best of more where that is asked for, by the mean of their log probabilities", async () => {
    const engine = await openEngine(home());
    const all = await generate(engine, { ...drawn, n: 6, logprobs: 0 });
    const ranked = all.choices.toSorted((a, b) => mean(b.logprobs!) - mean(a.logprobs!)).slice(0, 2);
    const best = await generate(engine, { ...drawn, n: 2, bestOf: 6 });
    expect(best.choices.map(({ text }) => text)).toEqual(ranked.map(({ text }) => text));
    expect(best.choices.map(({ index, logprobs }) => [index, logprobs])).toEqual([
      [0, undefined],
      [1, undefined],
    ]);
    // All of them were computed.
    expect(best.usage.completion_tokens).toBe(all.usage.completion_tokens);
    expect([0, 1].map((index) => textOf(best, index))).toEqual(ranked.map(({ text }) => text));
    const asked = await generate(engine, { ...drawn, n: 1, bestOf: 6, logprobs: 0 });
    expect(asked.choices[0].logprobs).toEqual(ranked[0].logprobs);
  });

  it("stop all together when the caller leaves", async () => {
    const engine = await openEngine(home());
    for await (const event of engine.generate({ ...drawn, n: 5, maxTokens: 400 }))
      if (event.type === "text" && event.index === 3) break;
    const done = await generate(engine, { ...plain, maxTokens: 10 });
    expect(done.tokens).toEqual(prompt.greedy.slice(0, 10));
  });

  it.each<[string, Partial<GenerateRequest>, string]>([
    ["none", { n: 0 }, "n"],
    ["too many", { n: 65 }, "n"],
    ["half a one", { n: 1.5 }, "n"],
    ["the best of fewer", { n: 3, bestOf: 2 }, "bestOf"],
    ["an echo of a conversation", { raw: false, echo: true }, "echo"],
  ])("are refused by name: %s", async (_what, change, param) => {
    const engine = await openEngine(home());
    await expect(generate(engine, { ...plain, maxTokens: 2, ...change })).rejects.toMatchObject({
      code: "invalid_request",
      param,
    });
  });
});

describe("an echo", () => {
  it("is the prompt as it was given, before the answer, and no part of what is counted as answer", async () => {
    const engine = await openEngine(home());
    const done = await generate(engine, { ...plain, echo: true, maxTokens: 16 });
    const alone = await generate(engine, { ...plain, maxTokens: 16 });
    expect(done.text).toBe(prompt.text + alone.text);
    expect(done.tokens).toEqual(alone.tokens);
    const [first] = done.events.filter((event) => event.type === "text");
    expect(first).toMatchObject({ text: prompt.text, tokens: prompt.tokens, index: 0 });
    expect(done.usage.completion_tokens).toBe(16);
    // A stop string in the prompt ends nothing.
    const stop = [prompt.text.slice(2, 6)];
    expect((await generate(engine, { ...plain, echo: true, maxTokens: 16, stop })).text).toBe(done.text);
  });

  it("has PyTorch's log probabilities of the prompt's tokens, whether it is known already or not", async () => {
    const engine = await openEngine(home());
    const { text, tokens } = prompts[allLogits.prompt];
    const request = { ...plain, prompt: text, maxTokens: 3, logprobs: 2 };
    await generate(engine, { ...request, maxTokens: 1 });
    const done = await generate(engine, { ...request, echo: true });
    const logprobs = done.choices[0].logprobs!;
    expect(logprobs).toHaveLength(tokens.length + 3);
    expect(logprobs[0]).toMatchObject({ token: tokens[0], logprob: null, top: [] });
    const { shape, values } = allLogits.logits;
    for (let i = 0; i + 1 < tokens.length; i++) {
      const row = values.subarray(i * shape[1], (i + 1) * shape[1]);
      const { token, logprob, top } = logprobs[i + 1];
      expect(token).toBe(tokens[i + 1]);
      expect(logprob).toBeCloseTo(logprobOf(row, tokens[i + 1]), 3);
      expect(top[0].logprob).toBeCloseTo(logprobOf(row, indexOfLargest(row)), 3);
    }
    expect(logprobs.slice(tokens.length).map(({ token }) => token)).toEqual(done.tokens);
    const streamed = done.events.flatMap((event) => (event.type === "text" ? (event.logprobs ?? []) : []));
    expect(streamed).toEqual(logprobs);
  });
});

describe("log probabilities", () => {
  it("are PyTorch's, of the chosen token and of the likeliest, and change no token", async () => {
    const engine = await openEngine(home());
    const done = await generate(engine, { ...plain, maxTokens: 20, logprobs: 3 });
    expect(done.tokens).toEqual(prompt.greedy.slice(0, 20));
    const logprobs = done.choices[0].logprobs!;
    expect(logprobs.map(({ token }) => token)).toEqual(done.tokens);
    for (const { token, logprob, top } of logprobs) {
      expect(top).toHaveLength(3);
      expect(top[0]).toMatchObject({ token, logprob });
    }
    expect(logprobs[0].logprob).toBeCloseTo(logprobOf(prompt.logits.values, prompt.greedy[0]), 3);
  });
});

describe("tokens that end an answer", () => {
  // No logit comes near 100, so the bias lets the end token win.
  const ending = { ...plain, logitBias: { 2: 100 } };

  it("are as good as any other where they are ignored", async () => {
    const engine = await openEngine(home());
    const done = await generate(engine, { ...ending, ignoreEos: true, maxTokens: 6 });
    expect(done).toMatchObject({ tokens: new Array(6).fill(2), finishReason: "length" });
  });

  it("wait until there are as many others as were asked for", async () => {
    const engine = await openEngine(home());
    const done = await generate(engine, { ...ending, minTokens: 5, maxTokens: 20 });
    expect(done.tokens).toEqual([...prompt.greedy.slice(0, 5), 2]);
    expect(done).toMatchObject({ finishReason: "stop", usage: { completion_tokens: 6 } });
    const cut = await generate(engine, { ...ending, minTokens: 5, maxTokens: 3 });
    expect(cut).toMatchObject({ tokens: prompt.greedy.slice(0, 3), finishReason: "length" });
  });
});

describe("several stop strings", () => {
  it("end the answer at the one that is complete first, which is named and not shown", async () => {
    const engine = await openEngine(home());
    const { text } = await generate(engine, { ...plain, maxTokens: 30 });
    const early = text.slice(5, 8);
    const late = text.slice(12, 15);
    const done = await generate(engine, { ...plain, maxTokens: 30, stop: [late, "never!", early] });
    expect(done.text).toBe(text.slice(0, text.indexOf(early)));
    expect(done.choices[0]).toMatchObject({ stop: early, finishReason: "stop" });
  });
});

describe("a prompt that is known", () => {
  it("is counted as cached in whole blocks, and gives the same answer", async () => {
    const cold = await generate(await openEngine(home()), { ...plain, prompt: longer.text, maxTokens: 20 });
    expect(cold.usage.cached_tokens).toBe(0);
    const engine = await openEngine(home());
    await generate(engine, { ...plain, prompt: longer.text, maxTokens: 2 });
    const warm = await generate(engine, { ...plain, prompt: longer.text, maxTokens: 20 });
    const blocks = Math.floor((longer.tokens.length - 2) / 32);
    expect(blocks).toBeGreaterThan(0);
    expect(warm.usage).toEqual({ ...cold.usage, cached_tokens: 32 * blocks });
    expect(warm.text).toBe(cold.text);
  });

  it("stays known in a conversation that goes on", async () => {
    const engine = await openEngine(home());
    const chat = {
      model: golden("llama-llama3-rope").directory,
      dtype: "fp32",
      maxTokens: 12,
      seed: 1,
    } as const;
    const question = {
      role: "user",
      content: "Tell me about the capital of France and its long history.",
    } as const;
    const first = await generate(engine, { ...chat, prompt: [question] });
    const goOn = [
      question,
      { role: "assistant", content: first.text },
      { role: "user", content: "Go on." },
    ] as const;
    const second = await generate(engine, { ...chat, prompt: [...goOn] });
    expect(second.usage.cached_tokens).toBeGreaterThanOrEqual(32);
    expect(second.usage.cached_tokens % 32).toBe(0);
    const cold = await generate(await openEngine(home()), { ...chat, prompt: [...goOn] });
    expect(second.tokens).toEqual(cold.tokens);
  });
});

describe("guessing ahead", () => {
  it("is for those who are alone and ask for no seed, and changes no token of fp32", async () => {
    const engine = await openEngine(home({ HFMS_SEQUENCES: "1" }));
    const request = { ...plain, maxTokens: 48 };
    const runs: [Partial<GenerateRequest>, boolean][] = [
      [{}, true],
      [{ speculation: false }, false],
      [{ deterministic: true }, false],
      [{ seed: 1 }, false],
    ];
    // One word again and again: nothing is easier to guess.
    const logitBias = { 7: 100 };
    for (const [change, guesses] of runs) {
      const { timings, tokens } = await generate(engine, { ...request, logitBias, ...change });
      expect(timings.drafted_tokens !== undefined).toBe(guesses);
      expect(tokens).toEqual(new Array(48).fill(7));
    }
    expect((await generate(engine, request)).tokens).toEqual(prompt.greedy);
    const shared = await openEngine(home());
    expect((await generate(shared, { ...request, logitBias })).timings.drafted_tokens).toBeUndefined();
  });
});

function logprobOf(logits: Float32Array, token: number): number {
  const largest = Math.max(...logits);
  return (
    logits[token] - largest - Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - largest), 0))
  );
}
