import { describe, expect, it } from "vitest";
import type { GenerateEvent, GenerateRequest } from "../../../src/core/requests.js";
import { loadTokenizer } from "../../../src/core/text/tokenizer.js";
import { editedGolden } from "../../edited-golden.js";
import { engineHome, generate, openEngine } from "../../engine-sandbox.js";
import { golden } from "../../golden/reference.js";

const home = engineHome();
const llama = golden("llama-gqa");
const { prompts, chats } = llama.reference;
const [, prompt, longer] = prompts;
/** Greedy and as it is, so that PyTorch's continuation is the answer. */
const plain = { model: llama.directory, dtype: "fp32", raw: true, temperature: 0 } as const;

describe("generating text", () => {
  it("streams PyTorch's greedy continuation and says at the end what it was", async () => {
    const engine = await openEngine(home());
    const done = await generate(engine, { ...plain, prompt: prompt.text, maxTokens: 48 });
    expect(done).toMatchObject({
      type: "done",
      tokens: prompt.greedy,
      text: prompt.greedyText,
      finishReason: "length",
      usage: {
        prompt_tokens: prompt.tokens.length,
        completion_tokens: 48,
        total_tokens: prompt.tokens.length + 48,
      },
    });
    const pieces = done.events.filter((event) => event.type === "text");
    expect(pieces.map(({ text }) => text).join("")).toBe(done.text);
    expect(pieces.flatMap(({ tokens }) => tokens)).toEqual(done.tokens);
    expect(pieces.length).toBeGreaterThan(20);
    expect(done.events.find((event) => event.type === "ready")).toMatchObject({
      model: llama.directory,
      source: "local",
      modelType: "llama",
      task: "text-generation",
      device: "cpu",
      dtype: "fp32",
      contextLength: 512,
    });
    expect(Object.values(done.timings).every((value) => Number.isFinite(value) && value >= 0)).toBe(true);
  });

  it("gives the same text for the same request on an engine that has run others", async () => {
    const engine = await openEngine(home());
    const request: GenerateRequest = {
      ...plain,
      prompt: prompt.text,
      maxTokens: 20,
      temperature: 1,
      seed: 3,
    };
    const first = await generate(engine, request);
    await generate(engine, { ...plain, prompt: longer.text, maxTokens: 40 });
    const again = await generate(engine, request);
    expect(again.tokens).toEqual(first.tokens);
    expect(again.events.filter((event) => event.type === "ready")).toHaveLength(1);
    const other = await generate(engine, { ...request, seed: 4 });
    expect(other.tokens).not.toEqual(first.tokens);
  });

  it("renders a conversation with the chat template, and a string as the user's message", async () => {
    const engine = await openEngine(home());
    const chat = { model: llama.directory, dtype: "fp32", temperature: 0, maxTokens: 4 } as const;
    for (const { messages, tokens } of chats) {
      const done = await generate(engine, { ...chat, prompt: messages as never });
      expect(done.usage.prompt_tokens).toBe(tokens.length);
    }
    const tokenizer = await loadTokenizer(llama.directory);
    const asText = await generate(engine, { ...chat, prompt: "Hello" });
    const asMessages = await generate(engine, { ...chat, prompt: [{ role: "user", content: "Hello" }] });
    expect(asText.usage).toEqual(asMessages.usage);
    expect(asText.tokens).toEqual(asMessages.tokens);
    const withSystem = await generate(engine, { ...chat, prompt: "Hello", system: "Be brief." });
    const written = await generate(engine, {
      ...chat,
      prompt: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Hello" },
      ],
    });
    expect(withSystem.tokens).toEqual(written.tokens);
    expect(asText.usage.prompt_tokens).toBeGreaterThan(tokenizer.encode("Hello").length);
  });

  it("refuses a conversation where the model has no chat template", async () => {
    const engine = await openEngine(home());
    const { directory } = golden("gpt2-bare");
    const conversation = {
      model: directory,
      dtype: "fp32",
      prompt: [{ role: "user", content: "hi" }],
    } as const;
    await expect(generate(engine, conversation as never)).rejects.toMatchObject({
      code: "invalid_request",
      param: "prompt",
      hint: expect.stringContaining("instruct"),
    });
    await expect(
      generate(engine, { model: directory, dtype: "fp32", prompt: "hi", system: "Be brief." }),
    ).rejects.toMatchObject({ code: "invalid_request", param: "system" });
    // A text to continue needs none.
    const done = await generate(engine, { model: directory, dtype: "fp32", prompt: "hi", maxTokens: 2 });
    expect(done.tokens).toHaveLength(2);
  });
});

describe("an answer ends", () => {
  it("at a stop string that begins in one token and ends in another, and shows nothing of it", async () => {
    const engine = await openEngine(home());
    const whole = (await generate(engine, { ...plain, prompt: prompt.text, maxTokens: 30 })).text;
    const pieces = (await generate(engine, { ...plain, prompt: prompt.text, maxTokens: 30 })).events
      .filter((event) => event.type === "text")
      .map(({ text }) => text);
    // The end of the 4th piece and the beginning of the 5th.
    const border = pieces.slice(0, 4).join("").length;
    const stop = whole.slice(border - 1, border + 1);
    const done = await generate(engine, {
      ...plain,
      prompt: prompt.text,
      maxTokens: 30,
      stop: ["never!", stop],
    });
    expect(done.finishReason).toBe("stop");
    expect(done.text).toBe(whole.slice(0, whole.indexOf(stop)));
    const shown = done.events.filter((event) => event.type === "text").map(({ text }) => text);
    expect(shown.join("")).toBe(done.text);
    expect(done.usage.completion_tokens).toBe(done.tokens.length);
  });

  it("with what was held back, when a stop string began but never came", async () => {
    const engine = await openEngine(home());
    const { text } = await generate(engine, { ...plain, prompt: prompt.text, maxTokens: 10 });
    const stop = `${text.slice(-2)}!!`;
    const done = await generate(engine, { ...plain, prompt: prompt.text, maxTokens: 10, stop: [stop] });
    expect(done.text).toBe(text);
    expect(done.finishReason).toBe("length");
  });

  it("at the model's end token, which is counted and not shown", async () => {
    const engine = await openEngine(home());
    // No logit comes near 100, so the bias lets the end token win.
    const done = await generate(engine, { ...plain, prompt: prompt.text, logitBias: { 2: 100 } });
    expect(done).toMatchObject({ tokens: [2], text: "", finishReason: "stop" });
    expect(done.usage.completion_tokens).toBe(1);
    const three = golden("llama-llama3-rope");
    for (const end of [1, 4]) {
      const other = await generate(engine, {
        ...plain,
        model: three.directory,
        prompt: "A",
        logitBias: { [end]: 100 },
      });
      expect(other).toMatchObject({ tokens: [end], finishReason: "stop" });
    }
  });

  it("after maxTokens, also after one", async () => {
    const engine = await openEngine(home());
    for (const maxTokens of [1, 2, 7]) {
      const done = await generate(engine, { ...plain, prompt: prompt.text, maxTokens });
      expect(done).toMatchObject({ tokens: prompt.greedy.slice(0, maxTokens), finishReason: "length" });
      expect(done.usage.total_tokens).toBe(prompt.tokens.length + maxTokens);
    }
  });

  it("where the context ends, when no number is asked for", async () => {
    const engine = await openEngine(home());
    const { directory, reference } = golden("gpt2-bare");
    const long = reference.prompts[4];
    const done = await generate(engine, {
      ...plain,
      model: directory,
      prompt: long.text,
      logitBias: { 383: -100 },
    });
    expect(done.usage).toMatchObject({ prompt_tokens: 106, completion_tokens: 86, total_tokens: 192 });
    expect(done.finishReason).toBe("length");
    expect(done.tokens.slice(0, 48)).toEqual(long.greedy);
  });
});

describe("the context length is a hard bound", () => {
  const gpt2 = golden("gpt2-bare");
  const sentence = "The capital of France is";
  const length = gpt2.reference.prompts[1].tokens.length;

  it("for a prompt that leaves no room, before anything runs", async () => {
    const engine = await openEngine(home());
    const text = sentence.repeat(30);
    const events: GenerateEvent[] = [];
    const run = (async () => {
      for await (const event of engine.generate({ ...plain, model: gpt2.directory, prompt: text }))
        events.push(event);
    })();
    await expect(run).rejects.toMatchObject({
      code: "context_length_exceeded",
      param: "prompt",
      message: expect.stringMatching(/the prompt has \d+ tokens; the model's context is 192/),
    });
    expect(events.at(-1)?.type).toBe("ready");
  });

  it("for more tokens than are left, instead of a silent cut", async () => {
    const engine = await openEngine(home());
    const request = { ...plain, model: gpt2.directory, prompt: sentence };
    await expect(generate(engine, { ...request, maxTokens: 192 - length + 1 })).rejects.toMatchObject({
      code: "context_length_exceeded",
      param: "maxTokens",
      hint: expect.stringContaining(String(192 - length)),
    });
    const fits = await generate(engine, { ...request, maxTokens: 192 - length, logitBias: { 383: -100 } });
    expect(fits.usage.total_tokens).toBe(192);
  });
});

describe("a bad request", () => {
  it.each<[string, Partial<GenerateRequest>, object]>([
    ["an empty prompt", { prompt: "" }, { code: "empty_input" }],
    ["no messages", { prompt: [], raw: false }, { code: "empty_input" }],
    ["a temperature that is no number", { temperature: Number.NaN }, { param: "temperature" }],
    ["a top-p of 0", { topP: 0 }, { param: "topP" }],
    ["no tokens", { maxTokens: 0 }, { param: "maxTokens" }],
    ["half a token", { maxTokens: 1.5 }, { param: "maxTokens" }],
    ["an empty stop string", { stop: ["a", ""] }, { param: "stop" }],
    ["raw messages", { prompt: [{ role: "user", content: "hi" }] }, { code: "invalid_request" }],
  ])("with %s is refused by name", async (_what, change, error) => {
    const engine = await openEngine(home());
    await expect(generate(engine, { ...plain, prompt: "hi", ...change })).rejects.toMatchObject({
      status: 400,
      ...error,
    });
  });
});

describe("stopping", () => {
  it("by the signal ends the stream with `aborted`, and the engine works on", async () => {
    const engine = await openEngine(home());
    const controller = new AbortController();
    const events: GenerateEvent[] = [];
    const run = (async () => {
      const request = { ...plain, prompt: prompt.text, maxTokens: 400, logitBias: { 2: -100 } };
      for await (const event of engine.generate(request, controller.signal)) {
        events.push(event);
        if (events.filter(({ type }) => type === "text").length === 5) controller.abort();
      }
    })();
    await expect(run).rejects.toMatchObject({ code: "aborted" });
    expect(events.filter(({ type }) => type === "text")).toHaveLength(5);
    const done = await generate(engine, { ...plain, prompt: prompt.text, maxTokens: 10 });
    expect(done.tokens).toEqual(prompt.greedy.slice(0, 10));
  });

  it("before it began runs nothing", async () => {
    const engine = await openEngine(home());
    await expect(generate(engine, { ...plain, prompt: "hi" }, AbortSignal.abort())).rejects.toMatchObject({
      code: "aborted",
    });
  });

  it("by leaving the loop frees the model for the next request", async () => {
    const engine = await openEngine(home());
    for await (const event of engine.generate({ ...plain, prompt: prompt.text, maxTokens: 40 })) {
      if (event.type === "text") break;
    }
    const done = await generate(engine, { ...plain, prompt: prompt.text, maxTokens: 10 });
    expect(done.tokens).toEqual(prompt.greedy.slice(0, 10));
  });

  it("while waiting for another request ends at once", async () => {
    const engine = await openEngine(home({ HFMS_SEQUENCES: "1" }));
    const endless = { maxTokens: 400, ignoreEos: true, deterministic: true };
    const first = engine.generate({ ...plain, ...endless, prompt: prompt.text });
    for (let step = await first.next(); step.value?.type !== "text"; ) step = await first.next();
    const controller = new AbortController();
    const waiting = expect(
      generate(engine, { ...plain, prompt: longer.text, maxTokens: 4 }, controller.signal),
    ).rejects.toMatchObject({ code: "aborted" });
    setTimeout(() => controller.abort(), 5);
    await waiting;
    await first.return(undefined);
  });
});

describe("two requests at once on one engine", () => {
  it.each(["fp32", "int8"] as const)(
    "give in %s what each gives alone, and load the model once",
    async (dtype) => {
      const requests: GenerateRequest[] = [
        { ...plain, dtype, prompt: prompt.text, maxTokens: 24 },
        { ...plain, dtype, prompt: longer.text, maxTokens: 24, temperature: 0.9, topP: 0.9, seed: 11 },
        { ...plain, dtype, prompt: "A", maxTokens: 24 },
      ];
      const alone: number[][] = [];
      for (const request of requests) alone.push((await generate(await openEngine(home()), request)).tokens);
      const engine = await openEngine(home());
      const together = await Promise.all(requests.map((request) => generate(engine, request)));
      expect(together.map(({ tokens }) => tokens)).toEqual(alone);
      const loads = together.flatMap(({ events }) =>
        events.filter((event) => event.type === "progress" && event.phase === "load"),
      );
      expect(loads).toHaveLength(1);
    },
  );
});

describe("a draft model", () => {
  const request = { ...plain, prompt: prompt.text, maxTokens: 48 };

  it("guesses what the model itself would say, and the answer stays PyTorch's", async () => {
    const engine = await openEngine(home());
    const done = await generate(engine, { ...request, draftModel: llama.directory });
    expect(done.tokens).toEqual(prompt.greedy);
    expect(done.timings.accepted_tokens).toBeGreaterThan(20);
    expect(done.events.filter(({ type }) => type === "ready")).toHaveLength(1);
  });

  it("that guesses wrong changes nothing but the time", async () => {
    const engine = await openEngine(home());
    const other = await editedGolden("llama-gqa", { config: { num_hidden_layers: 1 } });
    const done = await generate(engine, { ...request, draftModel: other.directory });
    expect(done.tokens).toEqual(prompt.greedy);
  });

  it("is not asked where the caller wants the same tokens every time", async () => {
    const engine = await openEngine(home());
    const done = await generate(engine, { ...request, draftModel: llama.directory, seed: 1 });
    expect(done.timings.drafted_tokens).toBeUndefined();
    expect(done.tokens).toEqual(prompt.greedy);
  });

  it("with another vocabulary is refused", async () => {
    const engine = await openEngine(home());
    const draftModel = golden("gpt2-bare").directory;
    await expect(generate(engine, { ...request, draftModel })).rejects.toMatchObject({
      code: "invalid_request",
      param: "draftModel",
    });
  });
});
