import { describe, expect, it } from "vitest";
import type { GenerateRequest } from "../../../src/core/requests.js";
import { engineHome, generate, openEngine } from "../../engine-sandbox.js";
import { golden, sourceTextsGoldens } from "../../golden/reference.js";

const home = engineHome();
const t5 = golden("t5-unigram");
const m2m = golden("m2m-languages");
const [usual] = t5.reference.answers;
const [french] = m2m.reference.answers;
const asked = { model: t5.directory, dtype: "fp32" } as const;
const translating = { model: m2m.directory, dtype: "fp32" } as const;

async function refusal(request: Partial<GenerateRequest> & { model: string }) {
  const engine = await openEngine(home());
  return generate(engine, { prompt: usual.text, dtype: "fp32", ...request }).then(
    () => undefined,
    ({ code, message, param, hint }) => ({ code, message, param, hint }),
  );
}

describe("a model with an encoder", () => {
  it.each(sourceTextsGoldens)("answers texts as transformers' generate does: %s", async (name) => {
    const engine = await openEngine(home());
    const { directory, reference } = golden(name);
    for (const { request, text, source, tokens, answer } of reference.answers) {
      const done = await generate(engine, { model: directory, dtype: "fp32", prompt: text, ...request });
      expect(done.tokens).toEqual(tokens);
      expect(done.text).toBe(answer);
      expect(done.usage.prompt_tokens).toBe(source.length);
    }
  });

  it("says which task it does, and takes token ids as they are", async () => {
    const engine = await openEngine(home());
    const done = await generate(engine, { ...asked, prompt: { tokens: usual.source } });
    expect(done.tokens).toEqual(usual.tokens);
    expect(done.events.find(({ type }) => type === "ready")).toMatchObject({ modelType: "t5" });
  });

  it("streams what it samples, and gives what it searched for whole", async () => {
    const engine = await openEngine(home());
    for (const beams of [1, 4]) {
      const done = await generate(engine, { ...asked, prompt: usual.text, beams });
      const pieces = done.events.flatMap((event) => (event.type === "text" ? [event.text] : []));
      expect(pieces.join("")).toBe(done.text);
      if (beams === 1) expect(pieces.length).toBeGreaterThan(1);
      else expect(pieces).toHaveLength(1);
    }
  });

  it("gives the likeliest answers of a search, best first, with log probabilities", async () => {
    const engine = await openEngine(home());
    const { choices, tokens } = await generate(engine, { ...asked, prompt: usual.text, n: 3, logprobs: 2 });
    expect(tokens).toEqual(usual.tokens);
    expect(new Set(choices.map((choice) => choice.tokens.join())).size).toBe(3);
    for (const choice of choices) {
      expect(choice.logprobs?.map(({ token }) => token)).toEqual(choice.tokens);
      expect(choice.logprobs?.every(({ logprob, top }) => (logprob ?? 1) <= 0 && top.length === 2)).toBe(
        true,
      );
    }
  });

  it("samples with a seed, alone and among others alike", async () => {
    const engine = await openEngine(home());
    const sampled = { ...asked, prompt: usual.text, temperature: 1, seed: 7, maxTokens: 12 };
    const alone = await generate(engine, sampled);
    const together = await Promise.all([
      ...[1, 2, 3].map((seed) => generate(engine, { ...sampled, seed })),
      generate(engine, sampled),
      generate(engine, { ...asked, prompt: usual.text }),
    ]);
    expect(together[3].tokens).toEqual(alone.tokens);
    expect(together[4].tokens).toEqual(usual.tokens);
    expect(together[4].usage.cached_tokens).toBe(usual.source.length);
  });

  it("ends before a stop string, at the limit, and holds answers to a format", async () => {
    const engine = await openEngine(home());
    const stop = usual.answer.slice(4, 7);
    for (const beams of [undefined, 1]) {
      const { text } = await generate(engine, { ...asked, prompt: usual.text, beams });
      const word = beams ? text.slice(4, 7) : stop;
      const cut = await generate(engine, { ...asked, prompt: usual.text, beams, stop: [word] });
      expect(cut).toMatchObject({ text: text.slice(0, text.indexOf(word)), finishReason: "stop" });
    }
    const short = await generate(engine, { ...asked, prompt: usual.text, maxTokens: 3, beams: 1 });
    expect(short).toMatchObject({ finishReason: "length", usage: { completion_tokens: 3 } });
    const choice = ["house", "river"];
    const held = await generate(engine, {
      ...asked,
      prompt: usual.text,
      format: { type: "choice", choices: choice },
    });
    expect(choice).toContain(held.text);
  });

  it("stops when its caller leaves", async () => {
    const engine = await openEngine(home());
    const controller = new AbortController();
    const running = generate(
      engine,
      { ...asked, prompt: usual.text, maxTokens: 500, ignoreEos: true },
      controller.signal,
    );
    setTimeout(() => controller.abort(), 20);
    await expect(running).rejects.toMatchObject({ code: "aborted" });
    expect((await generate(engine, { ...asked, prompt: usual.text })).tokens).toEqual(usual.tokens);
  });

  it("has no place for conversations", async () => {
    const message = { role: "user", content: "Hi" } as const;
    expect(await refusal({ ...asked, prompt: [message] })).toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("has no chat template"),
      param: "prompt",
    });
    expect(await refusal({ ...asked, system: "Be brief." })).toMatchObject({ param: "system" });
    expect(await refusal({ ...asked, raw: true, echo: true })).toMatchObject({ param: "echo" });
  });

  it("names what it does not know of languages and tasks", async () => {
    expect(await refusal({ ...asked, textTask: "poetry" })).toMatchObject({
      message: expect.stringContaining("knows nothing of poetry"),
      hint: "it has settings for summarization, translation_en_to_de",
    });
    expect(await refusal({ ...asked, targetLanguage: "fr" })).toMatchObject({ code: "invalid_request" });
    expect(await refusal(translating)).toMatchObject({
      message: expect.stringContaining("translates into many languages"),
      hint: "it has 3 languages, deu_Latn, eng_Latn, fra_Latn among them",
      param: "targetLanguage",
    });
    expect(await refusal({ ...translating, targetLanguage: "klingon" })).toMatchObject({
      message: '"klingon" is not a language of the model',
    });
    const named = await openEngine(home());
    const short = { ...translating, prompt: french.text, targetLanguage: "fra", sourceLanguage: "eng" };
    expect((await generate(named, short)).tokens).toEqual(french.tokens);
  });

  it("refuses a search with what would change its choices, and numbers that can't be", async () => {
    for (const [request, param] of [
      [{ beams: 4, temperature: 1 }, "beams"],
      [{ beams: 2, n: 3 }, "beams"],
      [{ beams: 0 }, "beams"],
      [{ noRepeatNgramSize: -1 }, "noRepeatNgramSize"],
      [{ maxTokens: 100_000 }, "maxTokens"],
    ] as const) {
      expect(await refusal({ ...asked, ...request })).toMatchObject({ param });
    }
    const long = { ...translating, targetLanguage: "fra_Latn", prompt: "a ".repeat(100) };
    expect(await refusal(long)).toMatchObject({ code: "context_length_exceeded", param: "prompt" });
  });

  it("is what the fields for languages and beams are for: a decoder refuses them", async () => {
    const model = golden("llama-gqa").directory;
    expect(await refusal({ model, targetLanguage: "fra_Latn" })).toMatchObject({ param: "targetLanguage" });
    expect(await refusal({ model, beams: 4 })).toMatchObject({ param: "beams" });
  });
});
