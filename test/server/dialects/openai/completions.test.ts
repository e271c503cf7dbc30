import type OpenAI from "openai";
import { BadRequestError } from "openai";
import { describe, expect, it } from "vitest";
import { generate } from "../../../engine-sandbox.js";
import { golden } from "../../../golden/reference.js";
import { sharedServing } from "../../serving.js";

type Completion = OpenAI.Completion;

const server = sharedServing({ config: { dtype: "fp32", maxItems: 20 } });
const model = "golden/llama-gqa";
const { prompts } = golden("llama-gqa").reference;
const [first, second] = prompts;
const greedy = { model, temperature: 0 } as const;

/** What the engine itself answers. */
async function plain(prompt: string, maxTokens: number) {
  return generate(server().engine, { ...greedy, dtype: "fp32", raw: true, prompt, maxTokens });
}

async function streamed(body: object): Promise<Completion[]> {
  const stream = await server()
    .client()
    .completions.create({ ...greedy, prompt: second.text, ...body, stream: true });
  const chunks: Completion[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

/** What a stream's chunks come to, by choice. */
function joined(chunks: Completion[], index: number) {
  const own = chunks.flatMap(({ choices }) => choices.filter((choice) => choice.index === index));
  return {
    text: own.map(({ text }) => text).join(""),
    reasons: own.map(({ finish_reason: reason }) => reason).filter(Boolean),
    tokens: own.flatMap(({ logprobs }) => logprobs?.tokens ?? []),
    offsets: own.flatMap(({ logprobs }) => logprobs?.text_offset ?? []),
  };
}

describe("a completion", () => {
  it("continues a text by 16 tokens, and counts them", async () => {
    const client = server().client();
    const completion = await client.completions.create({ ...greedy, prompt: second.text });
    const { text } = await plain(second.text, 16);
    expect(completion).toMatchObject({
      id: expect.stringMatching(/^cmpl-[0-9a-f]{32}$/),
      object: "text_completion",
      created: expect.any(Number),
      model,
      system_fingerprint: expect.stringMatching(/^hfms-fp32-/),
      choices: [{ index: 0, text, logprobs: null, finish_reason: "length" }],
      usage: {
        prompt_tokens: second.tokens.length,
        completion_tokens: 16,
        total_tokens: second.tokens.length + 16,
      },
    });
  });

  it("of token ids is that of their text", async () => {
    const client = server().client();
    const ofText = await client.completions.create({ ...greedy, prompt: second.text, max_tokens: 5 });
    const ofIds = await client.completions.create({ ...greedy, prompt: second.tokens, max_tokens: 5 });
    expect(ofIds.choices).toEqual(ofText.choices);
    expect(ofIds.usage?.prompt_tokens).toBe(second.tokens.length);
  });

  it("ends at a text of stop, and says which", async () => {
    const { text } = await plain(second.text, 16);
    const stop = text.slice(5, 8);
    const { choices } = await server()
      .client()
      .completions.create({ ...greedy, prompt: second.text, stop });
    expect(choices[0]).toMatchObject({
      text: text.slice(0, text.indexOf(stop)),
      finish_reason: "stop",
      stop_reason: stop,
    });
  });

  it("keeps to a form that is asked for", async () => {
    const body = { ...greedy, prompt: "Is it so?", guided_choice: ["yes", "no"], max_tokens: 40 };
    const response = await server().post("/v1/completions", body);
    const { choices } = (await response.json()) as Completion;
    expect(["yes", "no"]).toContain(choices[0].text);
  });

  it("begins with the prompt where that is asked for", async () => {
    const client = server().client();
    const { text } = await plain(second.text, 4);
    for (const prompt of [second.text, second.tokens]) {
      const { choices } = await client.completions.create({ ...greedy, prompt, echo: true, max_tokens: 4 });
      expect(choices[0].text).toBe(second.text + text);
    }
  });
});

describe("several prompts", () => {
  it("are answered side by side, each as if it were alone", async () => {
    const client = server().client();
    const texts = prompts.map(({ text }) => text);
    const seeded = { ...greedy, temperature: 1, seed: 7, max_tokens: 6, n: 2 };
    const { choices, usage } = await client.completions.create({ ...seeded, prompt: texts });
    expect(choices.map(({ index }) => index)).toEqual(texts.flatMap((_, p) => [2 * p, 2 * p + 1]));
    for (const [p, prompt] of texts.entries()) {
      const alone = await client.completions.create({ ...seeded, prompt });
      expect(choices.slice(2 * p, 2 * p + 2).map(({ text }) => text)).toEqual(
        alone.choices.map(({ text }) => text),
      );
    }
    const tokens = prompts.reduce((sum, prompt) => sum + prompt.tokens.length, 0);
    expect(usage).toMatchObject({ prompt_tokens: tokens, completion_tokens: 12 * texts.length });
  });

  it("fail together when one of them is wrong", async () => {
    const response = await server().post("/v1/completions", { ...greedy, prompt: ["a", "b ".repeat(2000)] });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { code: "context_length_exceeded", param: "prompt" },
    });
    const status = await (await server().fetch("/status")).json();
    expect(status).toMatchObject({ models: [{ in_use: 0 }] });
  });

  it("may be lists of token ids", async () => {
    const { choices } = await server()
      .client()
      .completions.create({ ...greedy, prompt: [first.tokens, second.tokens], max_tokens: 3 });
    expect(choices[1].text).toBe((await plain(second.text, 3)).text);
  });
});

describe("the best of several", () => {
  it("is the likeliest", async () => {
    const client = server().client();
    const body = { ...greedy, prompt: second.text, temperature: 1, seed: 3, max_tokens: 6, logprobs: 0 };
    const { choices, usage } = await client.completions.create({ ...body, n: 1, best_of: 4 });
    const all = await client.completions.create({ ...body, n: 4 });
    const score = ({ logprobs }: OpenAI.CompletionChoice) =>
      logprobs!.token_logprobs!.reduce((a, b) => a + b, 0) / logprobs!.token_logprobs!.length;
    expect(score(choices[0])).toBeCloseTo(Math.max(...all.choices.map(score)), 5);
    expect(choices).toHaveLength(1);
    expect(usage?.completion_tokens).toBe(all.usage?.completion_tokens);
  });
});

describe("log probabilities", () => {
  it("are told in four lists, the token itself among the likeliest", async () => {
    const { choices } = await server()
      .client()
      .completions.create({ ...greedy, prompt: second.text, max_tokens: 8, logprobs: 3 });
    const [{ text, logprobs }] = choices;
    const { tokens, token_logprobs: values, top_logprobs: tops, text_offset: offsets } = logprobs!;
    // Bytes that are no text are written out in tokens, and are one sign each in the text.
    const behind = (i: number) => tokens!.slice(i).join("").replaceAll(/\\x../g, "\ufffd");
    expect(behind(0)).toBe(text);
    for (const [i, token] of tokens!.entries()) {
      expect(Object.keys(tops![i])).toHaveLength(3);
      expect(tops![i][token]).toBe(values![i]);
      expect(Math.max(...Object.values(tops![i]))).toBe(values![i]);
      if (!token.includes("\\x")) expect(text.slice(offsets![i])).toBe(behind(i));
    }
    const chosen = await server()
      .client()
      .completions.create({
        ...greedy,
        prompt: second.text,
        max_tokens: 1,
        temperature: 1,
        seed: 5,
        logprobs: 1,
      });
    const [{ logprobs: one }] = chosen.choices;
    expect(one!.top_logprobs![0][one!.tokens![0]]).toBe(one!.token_logprobs![0]);
  });

  it("of an echoed prompt begin with null, and can be had without an answer", async () => {
    const client = server().client();
    const body = { ...greedy, prompt: [second.tokens, first.tokens], echo: true, logprobs: 1 };
    const answered = await client.completions.create({ ...body, max_tokens: 1 });
    const scored = await client.completions.create({ ...body, max_tokens: 0 });
    expect(scored.usage).toMatchObject({
      prompt_tokens: first.tokens.length + second.tokens.length,
      completion_tokens: 0,
    });
    for (const [i, { text, logprobs }] of scored.choices.entries()) {
      const prompt = [second, first][i];
      expect(text).toBe(prompt.text);
      expect(logprobs!.tokens).toHaveLength(prompt.tokens.length);
      expect([logprobs!.token_logprobs![0], logprobs!.top_logprobs![0]]).toEqual([null, null]);
      const whole = answered.choices[i].logprobs!;
      expect(whole.tokens).toHaveLength(prompt.tokens.length + 1);
      expect(whole.token_logprobs!.slice(0, -1)).toEqual(logprobs!.token_logprobs);
      expect(whole.text_offset!.at(-1)).toBe([...prompt.text].length);
    }
  });
});

describe("a stream", () => {
  it("is the answer in pieces, then its end", async () => {
    const chunks = await streamed({});
    const { text } = await plain(second.text, 16);
    expect(joined(chunks, 0)).toMatchObject({ text, reasons: ["length"] });
    expect(new Set(chunks.map(({ id, created, object }) => `${id} ${created} ${object}`)).size).toBe(1);
    expect(chunks[0].object).toBe("text_completion");
    expect(chunks.every((chunk) => chunk.usage === undefined)).toBe(true);
  });

  it("tells the usage at its end where that is asked for", async () => {
    const chunks = await streamed({ stream_options: { include_usage: true } });
    expect(chunks.at(-1)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: second.tokens.length, completion_tokens: 16 },
    });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });

  it("of several prompts and answers has all of them, each with its own end", async () => {
    const body = {
      prompt: [first.text, second.text],
      n: 2,
      temperature: 1,
      seed: 11,
      max_tokens: 6,
      logprobs: 2,
    };
    const chunks = await streamed(body);
    const whole = await server()
      .client()
      .completions.create({ ...greedy, ...body });
    for (const { index, text, finish_reason: reason, logprobs } of whole.choices) {
      expect(joined(chunks, index)).toEqual({
        text,
        reasons: [reason],
        tokens: logprobs!.tokens,
        offsets: logprobs!.text_offset,
      });
    }
  });

  it("has the prompt first where it is echoed", async () => {
    const chunks = await streamed({ echo: true, max_tokens: 3, logprobs: 0 });
    expect(chunks[0].choices[0].text).toBe(second.text);
    expect(joined(chunks, 0).tokens).toHaveLength(second.tokens.length + 3);
  });

  it("that is left stops the work", async () => {
    const stream = await server()
      .client()
      .completions.create({ ...greedy, prompt: [first.text, second.text], max_tokens: 400, stream: true });
    for await (const _ of stream) break;
    await expect
      .poll(async () => (await server().engine.ps()).every(({ inUse }) => inUse === 0), { timeout: 10_000 })
      .toBe(true);
  });
});

describe("what completions refuse", () => {
  it.each([
    ["no prompt", { prompt: "" }, "prompt"],
    ["nothing", { prompt: undefined }, "prompt"],
    ["an empty one among others", { prompt: ["a", ""] }, "prompt[1]"],
    ["ids of another model", { prompt: [1e9] }, "prompt"],
    ["too many prompts and answers", { prompt: ["a", "b", "c"], n: 7 }, "prompt"],
    ["a text behind the answer", { suffix: "end" }, "suffix"],
    ["fewer made than given", { n: 3, best_of: 2 }, "best_of"],
    ["a stream of the best", { best_of: 3, stream: true }, "best_of"],
    ["no tokens", { max_tokens: 0 }, "max_tokens"],
    ["more log probabilities than the original", { logprobs: 6 }, "logprobs"],
    ["a hot model", { temperature: 3 }, "temperature"],
    ["options of a stream that is none", { stream_options: { include_usage: true } }, "stream_options"],
    ["a model that makes no text", { model: "golden/bert-mean" }, "model"],
  ])("by name: %s", async (_what, change, param) => {
    const response = await server().post("/v1/completions", { ...greedy, prompt: "a", ...change });
    const { error } = (await response.json()) as { error: object };
    expect([response.status, error]).toEqual([
      400,
      expect.objectContaining({ type: "invalid_request_error", param }),
    ]);
  });

  it("more tokens than the context has, with the official client's error", async () => {
    const client = server().client();
    const asked = client.completions.create({ ...greedy, prompt: "a", max_tokens: 100_000 });
    await expect(asked).rejects.toBeInstanceOf(BadRequestError);
    await expect(asked).rejects.toMatchObject({ code: "context_length_exceeded", param: "max_tokens" });
  });

  it("accepts null for what is not said, and what it does not know", async () => {
    const body = { ...greedy, prompt: "a", max_tokens: null, n: null, stop: null, suffix: null, flavour: 1 };
    expect((await server().post("/v1/completions", body)).status).toBe(200);
  });
});

describe("a completion of a model with an encoder", () => {
  const [french] = golden("m2m-languages").reference.answers;
  const ask = { model: "golden/m2m-languages", prompt: french.text, max_tokens: french.tokens.length };

  it("is a translation to the language that was asked for", async () => {
    const body = { ...ask, target_language: "fra_Latn" };
    const completion = await server().client().completions.create(body);
    expect(completion.choices[0].text).toBe(french.answer);
    expect(completion.usage).toMatchObject({ prompt_tokens: french.source.length });
  });

  it("is refused without one, and so is a language for a model that has none", async () => {
    await expect(server().client().completions.create(ask)).rejects.toThrow("say which");
    const wrong = { ...ask, model, target_language: "fra_Latn" };
    await expect(server().client().completions.create(wrong)).rejects.toThrow(BadRequestError);
  });

  it("has no place in a chat", async () => {
    const { completions } = server().client().chat;
    const messages = [{ role: "user" as const, content: "Hi" }];
    await expect(completions.create({ model: ask.model, messages })).rejects.toThrow("no chat template");
  });
});
