import { setTimeout as delay } from "node:timers/promises";
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import type { KeyStore, StoredKey } from "../../../src/server/keys/key-store.js";
import { type Serving, serving, sharedServing } from "../serving.js";

/** What the official client of OpenAI makes of failures: its error classes, its retries, and how it leaves. */
const server = sharedServing({ isolation: "process", config: { dtype: "fp32" } });
const api = () => server().client();

const model = "golden/llama-gqa";
const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "The river runs" }];
const chat = { model, messages, max_completion_tokens: 6, temperature: 0 };

describe("an error has the client's class, and the field and code that explain it", () => {
  const keys: Record<string, StoredKey> = {
    reader: { id: "1", name: "reader", hint: "r…", scopes: ["infer"], created: "2026-01-01T00:00:00.000Z" },
  };
  const locked: KeyStore = { empty: false, check: (key) => keys[key] };
  const guarded = sharedServing({ keys: locked });
  const long = [{ role: "user" as const, content: "word ".repeat(2000) }];

  const cases: [string, new (...given: never) => Error, object, () => Promise<unknown>][] = [
    [
      "a wrong value",
      OpenAI.BadRequestError,
      { status: 400, param: "temperature", code: null },
      () => api().chat.completions.create({ ...chat, temperature: 3 }),
    ],
    [
      "a field that is not supported",
      OpenAI.BadRequestError,
      { status: 400, param: "store" },
      () => api().chat.completions.create({ ...chat, store: true }),
    ],
    [
      "a text that is too long",
      OpenAI.BadRequestError,
      { status: 400, param: "messages", code: "context_length_exceeded" },
      () => api().chat.completions.create({ ...chat, messages: long }),
    ],
    [
      "a model that does something else",
      OpenAI.BadRequestError,
      { status: 400, param: "model", code: "unsupported_task" },
      () => api().embeddings.create({ model, input: "a" }),
    ],
    [
      "no key that is known",
      OpenAI.AuthenticationError,
      { status: 401, code: "invalid_api_key" },
      () => guarded().client({ apiKey: "wrong" }).models.list(),
    ],
    [
      "a key that may not",
      OpenAI.PermissionDeniedError,
      { status: 403, code: "permission_denied" },
      () => guarded().client({ apiKey: "reader" }).models.delete(model),
    ],
    [
      "no such model",
      OpenAI.NotFoundError,
      { status: 404, param: "model", code: "model_not_found" },
      () => api().chat.completions.create({ ...chat, model: "no-such-model" }),
    ],
    [
      "no such address",
      OpenAI.NotFoundError,
      { status: 404, code: "unknown_url" },
      () => api().images.generate({ prompt: "a" }),
    ],
    [
      "a body that is no JSON",
      OpenAI.APIError,
      { status: 415, code: "unsupported_media_type" },
      () => api().post("/embeddings", { body: "a", headers: { "content-type": "text/plain" } }),
    ],
    [
      "a model that is not here, without the Hub",
      OpenAI.InternalServerError,
      { status: 503, type: "server_error" },
      () => api().chat.completions.create({ ...chat, model: "nobody/nothing" }),
    ],
  ];
  it.each(cases)("%s", async (_, type, shape, ask) => {
    const error = await ask().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(type);
    expect(error).toMatchObject({ ...shape, requestID: expect.stringMatching(/^req_/) });
  });

  it("in the middle of a stream, too", async () => {
    await using own = await serving();
    const stream = await own
      .client()
      .chat.completions.create({ ...chat, max_completion_tokens: 400, stream: true });
    const read = async () => {
      for await (const _ of stream) void own.running.server.context.lifecycle.stop();
    };
    await expect(read()).rejects.toMatchObject({ constructor: OpenAI.APIError, code: "overloaded" });
  });
});

/** What a client really asked, and what it was answered. */
function watched(): { seen: { status: number; at: number; headers: Headers }[]; fetch: typeof fetch } {
  const seen: { status: number; at: number; headers: Headers }[] = [];
  return {
    seen,
    fetch: async (input, init) => {
      const at = performance.now();
      const response = await fetch(input, init);
      seen.push({ status: response.status, at, headers: response.headers });
      return response;
    },
  };
}

describe("a client that tries again", () => {
  it("comes back when a model that is being loaded should be there, and gets its answer", async () => {
    await using own = await serving({ isolation: "process", config: { loadTimeout: 1 } });
    const { seen, fetch } = watched();
    const answer = await own.client({ maxRetries: 8, fetch }).chat.completions.create(chat);
    expect(answer.usage?.completion_tokens).toBe(6);
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.map(({ status }) => status)).toEqual([...seen.slice(1).map(() => 503), 200]);
    seen.slice(1).forEach(({ at, headers }, i) => {
      const asked = Number(seen[i].headers.get("retry-after-ms"));
      expect(asked).toBeGreaterThanOrEqual(250);
      expect(Number(seen[i].headers.get("retry-after"))).toBe(Math.ceil(asked / 1000));
      expect(at - seen[i].at).toBeGreaterThanOrEqual(asked - 5);
      expect(headers.get("x-request-id")).not.toBe(seen[i].headers.get("x-request-id"));
    });
  });

  it("does so no more often than it was told to, and then throws what it heard", async () => {
    // Nobody listens at port 1.
    const env = { HF_HUB_OFFLINE: "0", HF_ENDPOINT: "http://127.0.0.1:1" };
    await using own = await serving({ env });
    const { seen, fetch } = watched();
    const asked = own.client({ maxRetries: 1, fetch }).chat.completions.create({ ...chat, model: "a/b" });
    const { InternalServerError } = OpenAI;
    await expect(asked).rejects.toMatchObject({ constructor: InternalServerError, code: "hub_unreachable" });
    expect(seen).toHaveLength(2);
  });

  it("does not ask again for what would fail again", async () => {
    await using own = await serving({ config: { requestTimeout: 100 } });
    const { seen, fetch } = watched();
    const endless = { ...chat, max_completion_tokens: 400, ignore_eos: true, n: 32 };
    const late = own.client({ maxRetries: 5, fetch }).chat.completions.create(endless);
    await expect(late).rejects.toMatchObject({ status: 504, code: "request_timeout" });
    expect(seen.map(({ headers }) => headers.get("x-should-retry"))).toEqual(["false"]);
    const wrong = own.client({ maxRetries: 5, fetch }).chat.completions.create({ ...chat, temperature: 3 });
    await expect(wrong).rejects.toBeInstanceOf(OpenAI.BadRequestError);
    expect(seen).toHaveLength(2);
  });
});

describe("a client that has heard enough", () => {
  const endless = { ...chat, max_completion_tokens: 400, ignore_eos: true, n: 32 };
  const status = async (own: Serving) =>
    (await (await own.fetch("/status")).json()) as {
      requests: { active: { route: string; state: string }[]; totals: Record<string, number> };
    };
  const chats = async (own: Serving) =>
    (await status(own)).requests.active.filter(({ route }) => route.endsWith("/chat/completions"));
  const answering = async (own: Serving) => {
    while (!(await chats(own)).some(({ state }) => state === "answering")) await delay(5);
  };
  const leaving: [string, (own: Serving) => Promise<unknown>][] = [
    [
      "breaks out of a stream",
      async (own) => {
        for await (const _ of await own.client().chat.completions.create({ ...endless, stream: true })) break;
      },
    ],
    [
      "aborts the stream's controller",
      async (own) => {
        const stream = await own.client().chat.completions.create({ ...endless, stream: true });
        for await (const _ of stream) stream.controller.abort();
      },
    ],
    [
      "aborts a stream helper",
      async (own) => {
        const stream = own.client().chat.completions.stream(endless);
        stream.on("content", () => stream.abort());
        await expect(stream.done()).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
      },
    ],
    [
      "aborts a request that is being answered",
      async (own) => {
        const leave = new AbortController();
        const answer = own.client().chat.completions.create(endless, { signal: leave.signal });
        const refused = expect(answer).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
        await answering(own);
        leave.abort();
        await refused;
      },
    ],
    [
      "has a time limit",
      async (own) => {
        await own.client().chat.completions.create(chat);
        const answer = own.client().chat.completions.create(endless, { timeout: 150 });
        await expect(answer).rejects.toBeInstanceOf(OpenAI.APIConnectionTimeoutError);
      },
    ],
  ];
  it.each(leaving)("and %s ends the work", async (_, leave) => {
    const before = (await status(server())).requests.totals;
    await leave(server());
    while ((await chats(server())).length > 0) await delay(5);
    const { totals } = (await status(server())).requests;
    expect(totals.cancelled - before.cancelled).toBe(1);
    expect(totals.failed).toBe(before.failed);
    expect(totals.completion_tokens - before.completion_tokens).toBeLessThan(32 * 400);
  });
});
