import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import type { KeyStore, StoredKey } from "../../../src/server/keys/key-store.js";
import { sharedServing } from "../serving.js";

const created = "2026-01-01T00:00:00.000Z";
const known: Record<string, StoredKey> = {
  "hfms_reader-key": { id: "1", name: "reader", hint: "hfms_read…", scopes: ["infer"], created },
  "hfms_admin-key": { id: "2", name: "operator", hint: "hfms_admi…", scopes: ["infer", "admin"], created },
};
const keys: KeyStore = { empty: false, check: (key) => (Object.hasOwn(known, key) ? known[key] : undefined) };
const server = sharedServing({ keys });

const status = async (path: string, headers: Record<string, string> = {}, method = "GET") => {
  const response = await server().fetch(path, { method, headers });
  await response.arrayBuffer();
  return response.status;
};

describe("where there are API keys", () => {
  it("every route but liveness asks for one", async () => {
    const { paths } = {
      paths: ["/ready", "/status", "/v1/hardware", "/v1/models", "/", "/docs", "/openapi.json"],
    };
    for (const path of paths) expect(await status(path), path).toBe(401);
    expect(await status("/v1/chat/completions", {}, "POST")).toBe(401);
    expect(await status("/livez")).toBe(200);
    expect(await status("/health")).toBe(200);
  });

  it("a bearer token, x-api-key and basic authentication show one", async () => {
    expect(await status("/status", { authorization: "Bearer hfms_reader-key" })).toBe(200);
    expect(await status("/status", { authorization: "bearer  hfms_reader-key" })).toBe(200);
    expect(await status("/status", { "x-api-key": "hfms_reader-key" })).toBe(200);
    const basic = Buffer.from("anyone:hfms_reader-key").toString("base64");
    expect(await status("/status", { authorization: `Basic ${basic}` })).toBe(200);
    for (const authorization of [
      "Bearer",
      "Bearer wrong",
      "Basic wrong",
      "hfms_reader-key",
      "Bearer __proto__",
    ])
      expect(await status("/status", { authorization }), authorization).toBe(401);
  });

  it("a browser is asked for it, a program is told", async () => {
    const page = await server().fetch("/", { headers: { accept: "text/html" } });
    expect(page.headers.get("www-authenticate")).toContain("Basic");
    const answer = await server().fetch("/status");
    expect(answer.headers.get("www-authenticate")).toBe("Bearer");
    expect(await answer.json()).toMatchObject({
      error: { code: "invalid_api_key", type: "invalid_request_error" },
    });
  });

  it("loading and unloading needs the scope admin", async () => {
    const load = (apiKey: string) =>
      server().post(
        "/models/unload",
        { model: "golden/bert-mean" },
        { headers: { authorization: `Bearer ${apiKey}` } },
      );
    const refused = await load("hfms_reader-key");
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({ error: { code: "permission_denied" } });
    expect((await load("hfms_admin-key")).status).toBe(200);
  });

  it("the official client throws what it throws at the original", async () => {
    const { baseURL } = server().client();
    const wrong = new OpenAI({ baseURL, apiKey: "wrong" });
    await expect(wrong.models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    const reader = new OpenAI({ baseURL, apiKey: "hfms_reader-key" });
    await expect(reader.models.delete("golden/bert-mean")).rejects.toBeInstanceOf(
      OpenAI.PermissionDeniedError,
    );
  });
});
