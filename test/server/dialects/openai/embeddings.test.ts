import type OpenAI from "openai";
import { BadRequestError, NotFoundError } from "openai";
import { describe, expect, it } from "vitest";
import { golden } from "../../../golden/reference.js";
import { cosine } from "../../../tiny-model.js";
import { sharedServing } from "../../serving.js";

const server = sharedServing({ config: { dtype: "fp32", maxItems: 300 } });
const model = "golden/bert-mean";
const { texts } = golden("bert-mean").reference;
const plain = texts.filter(({ prompt, tokens }) => prompt === undefined && tokens.length < 64);

describe("embeddings", () => {
  it("are sentence-transformers' vectors, through the official client's base64 and as numbers", async () => {
    const input = plain.map(({ text }) => text).filter((text) => text !== "");
    const client = server().client();
    const packed = await client.embeddings.create({ model, input });
    const numbers = await client.embeddings.create({ model, input, encoding_format: "float" });
    expect(packed.data).toEqual(numbers.data);
    expect(numbers.data.map(({ index }) => index)).toEqual(input.map((_, index) => index));
    for (const [i, text] of input.entries()) {
      const { embedding, tokens } = plain.find((one) => one.text === text)!;
      const found = Float32Array.from(numbers.data[i].embedding);
      expect(cosine(found, embedding.values)).toBeGreaterThan(0.9999999);
      const alone = await client.embeddings.create({ model, input: text });
      expect(alone.data[0].embedding).toEqual(numbers.data[i].embedding);
      expect(alone.usage).toEqual({ prompt_tokens: tokens.length, total_tokens: tokens.length });
    }
    const total = numbers.usage.total_tokens;
    expect(packed).toMatchObject({
      object: "list",
      model,
      usage: { prompt_tokens: total, total_tokens: total },
    });
  });

  it("of token ids are those of their text", async () => {
    const client = server().client();
    const [{ text, tokens }, other] = plain.filter(({ text }) => text !== "");
    const ofText = await client.embeddings.create({ model, input: text });
    const ofIds = await client.embeddings.create({ model, input: tokens });
    expect(ofIds).toEqual(ofText);
    const two = await client.embeddings.create({ model, input: [other.tokens, tokens] });
    expect(two.data[1].embedding).toEqual(ofText.data[0].embedding);
  });

  it("of fewer dimensions begin like the whole ones and have length 1", async () => {
    const client = server().client();
    const input = "a cat";
    const whole = (await client.embeddings.create({ model, input })).data[0].embedding;
    const short = (await client.embeddings.create({ model, input, dimensions: 8 })).data[0].embedding;
    expect(short).toHaveLength(8);
    const length = Math.hypot(...whole.slice(0, 8));
    for (const [i, value] of short.entries()) expect(value).toBeCloseTo(whole[i] / length, 5);
  });

  it("are cut where that is asked for, and put behind the model's own prompts", async () => {
    const long = "cat ".repeat(200);
    const cut = await server().post("/v1/embeddings", { model, input: long, truncate: true });
    expect(await cut.json()).toMatchObject({ usage: { prompt_tokens: 64 } });
    const { text, prompt, embedding } = texts.find((one) => one.prompt !== undefined)!;
    const prompted = await server().post("/v1/embeddings", { model, input: text, prompt_name: prompt });
    const { data } = (await prompted.json()) as OpenAI.CreateEmbeddingResponse;
    expect(cosine(Float32Array.from(data[0].embedding), embedding.values)).toBeGreaterThan(0.9999999);
  });
});

describe("what embeddings refuse", () => {
  it.each([
    ["no text", { input: "" }, "input", null],
    ["no texts", { input: [] }, "input", null],
    ["an empty text among others", { input: ["a", "", "b"] }, "input[1]", null],
    ["an empty list of ids", { input: [[1], []] }, "input[1]", null],
    ["a mixture", { input: ["a", 1] }, "input[1]", null],
    ["a picture", { input: [{ image: "…" }] }, "input[0]", null],
    ["half a token", { input: [1, 1.5] }, "input[1]", null],
    ["a million of nothing", { input: Array(1e6).fill(null) }, "input[0]", null],
    ["nothing", { input: null }, "input", null],
    ["ids of another model", { input: [[5, 100_000]] }, "input", null],
    ["too much at once", { input: Array(301).fill("a") }, "input", null],
    ["too long a text", { input: ["a", "cat ".repeat(200)] }, "input", "context_length_exceeded"],
    ["more dimensions than there are", { input: "a", dimensions: 100_000 }, "dimensions", null],
    ["no dimensions", { input: "a", dimensions: 0 }, "dimensions", null],
    ["another format", { input: "a", encoding_format: "int8" }, "encoding_format", null],
    ["an unknown prompt", { input: "a", prompt_name: "nobody" }, "prompt_name", null],
    ["a model that makes text", { input: "a", model: "golden/llama-gqa" }, "model", "unsupported_task"],
    ["no model", { input: "a", model: null }, "model", null],
  ])("by name: %s", async (_what, body, param, code) => {
    const response = await server().post("/v1/embeddings", { model, ...body });
    const { error } = (await response.json()) as { error: object };
    expect(response.status).toBe(400);
    expect(error).toEqual({ message: expect.any(String), type: "invalid_request_error", param, code });
  });

  it("reaches the official client as its own errors", async () => {
    const client = server().client();
    const empty = client.embeddings.create({ model, input: [] });
    await expect(empty).rejects.toBeInstanceOf(BadRequestError);
    const unknown = client.embeddings.create({ model: "no-such-model", input: "a" });
    await expect(unknown).rejects.toBeInstanceOf(NotFoundError);
    await expect(unknown).rejects.toMatchObject({ param: "model", code: "model_not_found" });
  });

  it("not what it does not know", async () => {
    const response = await server().post("/v1/embeddings", { model, input: "a", flavour: "sweet" });
    expect(response.status).toBe(200);
  });
});
