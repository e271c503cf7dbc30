import { request } from "node:http";
import { describe, expect, it } from "vitest";
import { type Serving, serving } from "../serving.js";

/** fetch can't set `host`. */
function get(server: Serving, headers: Record<string, string>, method = "GET"): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request(`${server.url}/status`, { method, headers }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text) => {
        body += text;
      });
      response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, body }));
    });
    sent.on("error", reject).end();
  });
}

interface Reply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

describe("a host name", () => {
  it("that the server does not know is refused, and says which", async () => {
    await using server = await serving({ config: { allowedHosts: ["models.example"] } });
    const refused = await get(server, { host: "evil.example" });
    expect(refused.status).toBe(403);
    expect(JSON.parse(refused.body).error.message).toContain("evil.example");
    for (const host of ["localhost:1", "127.0.0.1", "[::1]:8000", "models.example", "Models.Example:80"]) {
      expect((await get(server, { host })).status, host).toBe(200);
    }
  });

  it("may be any where the operator says so", async () => {
    await using server = await serving({ config: { allowedHosts: ["*"] } });
    expect((await get(server, { host: "evil.example" })).status).toBe(200);
  });
});

describe("a web page", () => {
  it("of another origin is refused, also with a request that browsers send unasked", async () => {
    await using server = await serving();
    const refused = await get(server, { origin: "https://evil.example" });
    expect(refused.status).toBe(403);
    expect(refused.headers["access-control-allow-origin"]).toBeUndefined();
    expect(JSON.parse(refused.body).error.message).toContain("--cors-origin https://evil.example");
    expect((await get(server, { origin: "null" })).status).toBe(403);
    expect((await get(server, { origin: "https://evil.example" }, "OPTIONS")).status).toBe(403);
  });

  it("of the server itself, or of an origin that was allowed, may call and read", async () => {
    const origin = "https://app.example";
    await using server = await serving({ config: { corsOrigins: [origin] } });
    expect((await get(server, { origin: server.url })).status).toBe(200);
    const allowed = await get(server, { origin });
    expect(allowed.headers).toMatchObject({ "access-control-allow-origin": origin, vary: "origin" });
    const asked = await get(
      server,
      { origin, "access-control-request-headers": "authorization, x-stainless-lang" },
      "OPTIONS",
    );
    expect(asked.status).toBe(204);
    expect(asked.headers["access-control-allow-headers"]).toBe("authorization, x-stainless-lang");
    expect(asked.headers["access-control-allow-methods"]).toContain("POST");
  });
});
