import { describe, expect, it } from "vitest";
import { sharedServing } from "./serving.js";

const server = sharedServing();

describe("the server", () => {
  it("answers liveness, readiness and status", async () => {
    await server().running.ready;
    for (const path of ["/livez", "/health"]) {
      const response = await server().fetch(path);
      expect([response.status, await response.json()]).toEqual([200, { status: "ok" }]);
    }
    expect(await (await server().fetch("/ready")).json()).toEqual({ status: "ready" });
    const status = (await (await server().fetch("/status")).json()) as unknown;
    expect(status).toMatchObject({ state: "ready", requests: { active: [{ route: "GET /status" }] } });
  });

  it("answers an unknown address and a wrong method with OpenAI's error object", async () => {
    const unknown = await server().fetch("/v1/nothing");
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toEqual({
      error: {
        message: expect.stringContaining("no such address"),
        type: "invalid_request_error",
        param: null,
        code: "unknown_url",
      },
    });
    const wrong = await server().fetch("/status", { method: "POST" });
    expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET, OPTIONS"]);
    const garbled = await server().fetch("/v1/%ZZ");
    expect([garbled.status, ((await garbled.json()) as { error: { type: string } }).error.type]).toEqual([
      400,
      "invalid_request_error",
    ]);
  });

  it("loads and unloads a model, and says how far it is", async () => {
    const response = await server().post("/models/load", { model: "golden/llama-gqa", stream: true });
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    const events = (await response.text()).split("\n\n").filter(Boolean);
    expect(JSON.parse(events.at(-1)!.slice(6))).toMatchObject({ type: "ready", model: "golden/llama-gqa" });
    const unloaded = await server().post("/models/unload", { model: "golden/llama-gqa" });
    expect(await unloaded.json()).toEqual({ model: "golden/llama-gqa", unloaded: 1 });
  });

  it.each([
    "/etc/passwd",
    "../../golden/llama-gqa",
    "./model",
    "~/model",
    "C:\\models\\mine",
    "model.gguf",
    "a/b/c",
    "https://evil.example/model",
    "golden/../llama-gqa",
    "golden/llama-gqa@../../main",
    "golden/llama-gqa\u0000",
  ])("takes %j for no model of the caller's", async (model) => {
    for (const path of ["/models/load", "/v1/embeddings"]) {
      const response = await server().post(path, { model, input: "a cat" });
      const { error } = (await response.json()) as { error: { param: string } };
      expect([400, 404]).toContain(response.status);
      expect(error.param).toBe("model");
    }
  });
});
