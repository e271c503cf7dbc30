import { setTimeout as delay } from "node:timers/promises";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { type Serving, serving } from "./serving.js";

const model = "golden/llama-gqa";

/** As long an answer as the model's context holds. */
const long = {
  model,
  messages: [{ role: "user", content: "Tell me everything" }],
  ignore_eos: true,
  stream: true,
} as const;

interface Status {
  requests: { active: { route: string; model?: string; state: string }[]; totals: Record<string, number> };
  models: { model: string; state: string }[];
}

async function status(server: Serving): Promise<Status> {
  return (await (await server.fetch("/status")).json()) as Status;
}

async function until(server: Serving, what: (status: Status) => boolean): Promise<Status> {
  for (;;) {
    const now = await status(server);
    if (what(now)) return now;
    await delay(10);
  }
}

const chatting = ({ requests }: Status) => requests.active.filter(({ route }) => route.includes("chat"));

describe("a client that leaves", () => {
  it("in the middle of a stream ends its generation", async () => {
    await using server = await serving();
    const stream = await server.client().chat.completions.create({ ...long, messages: [...long.messages] });
    let chunks = 0;
    for await (const _ of stream) if (++chunks === 3) break;
    const { requests } = await until(server, (now) => chatting(now).length === 0);
    expect(requests.totals).toMatchObject({ cancelled: 1, failed: 0 });
    expect(requests.totals.completion_tokens).toBeLessThan(400);
    // The place is free: another answer comes.
    const answer = await server
      .client()
      .chat.completions.create({ ...long, messages: [...long.messages], stream: false, max_tokens: 3 });
    expect(answer.usage?.completion_tokens).toBe(3);
  });

  it("before its answer is complete ends it too", async () => {
    await using server = await serving();
    const leave = new AbortController();
    const answer = server.post("/v1/chat/completions", { ...long, stream: false }, { signal: leave.signal });
    answer.catch(() => {});
    await until(server, (now) => chatting(now).some(({ state }) => state === "answering"));
    leave.abort();
    const { requests } = await until(server, (now) => chatting(now).length === 0);
    expect(requests.totals.cancelled).toBe(1);
  });
});

describe("a server that has enough to do", () => {
  it("tells more clients to come back, and goes on answering what it has", async () => {
    await using server = await serving({ config: { maxRequests: 2 } });
    await server.post("/models/load", { model });
    const leave = new AbortController();
    const ask = () => server.post("/v1/chat/completions", { ...long, n: 8 }, { signal: leave.signal });
    const answers = [await ask(), await ask()];
    const refused = server.client().chat.completions.create({ ...long, messages: [...long.messages] });
    await expect(refused).rejects.toBeInstanceOf(OpenAI.RateLimitError);
    await expect(refused).rejects.toMatchObject({ code: "rate_limit_exceeded", type: "requests" });
    expect((await server.fetch("/health")).status).toBe(200);
    expect(answers.map(({ status: code }) => code)).toEqual([200, 200]);
    leave.abort();
    await until(server, (now) => chatting(now).length === 0);
    const again = await server.post("/v1/chat/completions", { ...long, stream: false, max_tokens: 2 });
    expect(again.status).toBe(200);
  });
});

describe("a model that is being loaded", () => {
  it("is not waited for longer than allowed, and is there for a later try", async () => {
    await using server = await serving({ config: { loadTimeout: 1 } });
    const refused = await server.post("/v1/chat/completions", { ...long, stream: false, max_tokens: 2 });
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await refused.json()).toMatchObject({ error: { code: "model_loading", type: "server_error" } });
    await until(server, ({ models }) => models.some(({ state }) => state === "ready"));
    const client = server.client({ maxRetries: 3 });
    const answer = await client.chat.completions.create({
      ...long,
      messages: [...long.messages],
      stream: false,
      max_tokens: 2,
    });
    expect(answer.usage?.completion_tokens).toBe(2);
  });

  it("is what an unready server waits for", async () => {
    await using server = await serving({ config: { models: ["golden/bert-mean"], keepAlive: 0 } });
    await server.running.ready;
    expect((await server.fetch("/ready")).status).toBe(200);
    expect((await status(server)).models).toMatchObject([{ model: "golden/bert-mean", state: "ready" }]);
  });
});

describe("an answer that takes too long", () => {
  it("is ended with a 504, and not asked for again", async () => {
    await using server = await serving();
    await server.post("/models/load", { model });
    server.running.server.context.config.requestTimeout = 100;
    const late = await server.post("/v1/chat/completions", { ...long, n: 16, stream: false });
    expect(late.status).toBe(504);
    expect(late.headers.get("x-should-retry")).toBe("false");
    expect(await late.json()).toMatchObject({ error: { code: "request_timeout" } });
    const stream = await server
      .client()
      .chat.completions.create({ ...long, messages: [...long.messages], n: 16 });
    const read = async () => {
      for await (const _ of stream);
    };
    await expect(read()).rejects.toThrow(/took longer/);
  });
});

describe("a server that is asked to end", () => {
  it("finishes its streams, says that it is not ready, and takes nothing new", async () => {
    await using server = await serving({ config: { drainTimeout: 60_000 } });
    const stream = await server.client().chat.completions.create({ ...long, messages: [...long.messages] });
    const chunks = stream[Symbol.asyncIterator]();
    await chunks.next();
    const closing = server.running.close({ drain: true });
    const ready = await server.fetch("/ready");
    expect([ready.status, await ready.json()]).toEqual([503, { status: "draining" }]);
    expect((await server.fetch("/livez")).status).toBe(200);
    const refused = server.client().chat.completions.create({ ...long, messages: [...long.messages] });
    await expect(refused).rejects.toMatchObject({ status: 503, code: "overloaded" });
    let last: OpenAI.ChatCompletionChunk | undefined;
    for await (const chunk of { [Symbol.asyncIterator]: () => chunks }) last = chunk;
    expect(last?.choices[0].finish_reason).toBe("length");
    await closing;
    await server.running.closed;
    await expect(server.fetch("/livez")).rejects.toThrow();
  });

  it("tells those who are not finished in time", async () => {
    await using server = await serving({ config: { drainTimeout: 1 } });
    const stream = await server
      .client()
      .chat.completions.create({ ...long, messages: [...long.messages], n: 16 });
    const read = async () => {
      for await (const _ of stream);
    };
    const reading = expect(read()).rejects.toBeInstanceOf(OpenAI.APIError);
    await server.running.close({ drain: true });
    await reading;
  });

  it("ends at once when it is asked again", async () => {
    await using server = await serving({ config: { drainTimeout: 600_000 } });
    const leave = new AbortController();
    const stream = await server.post("/v1/chat/completions", { ...long, n: 16 }, { signal: leave.signal });
    const first = server.running.close({ drain: true });
    await server.running.close();
    await first;
    await stream.text().catch(() => {});
  });
});
