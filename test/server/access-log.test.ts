import { describe, expect, it } from "vitest";
import { type AccessEntry, silentLog } from "../../src/server/access-log.js";
import { serving } from "./serving.js";

async function logged(work: (server: Awaited<ReturnType<typeof serving>>) => Promise<unknown>) {
  const entries: AccessEntry[] = [];
  await using server = await serving({ log: { ...silentLog, access: (entry) => entries.push(entry) } });
  await work(server);
  return entries;
}

describe("the access log", () => {
  it("says what was asked, how it ended and what it took, and nothing that is secret", async () => {
    const entries = await logged(async (server) => {
      const body = {
        model: "golden/llama-gqa",
        prompt: "my password is hunter2",
        max_tokens: 3,
        ignore_eos: true,
      };
      await server.post("/v1/completions?key=hunter2", body, {
        headers: { authorization: "Bearer hunter2", "x-request-id": "mine-1" },
      });
    });
    expect(entries).toMatchObject([
      {
        id: "mine-1",
        method: "POST",
        route: "/v1/completions",
        status: 200,
        outcome: "completed",
        model: "golden/llama-gqa",
        completion_tokens: 3,
        routine: false,
      },
    ]);
    expect(JSON.stringify(entries)).not.toContain("hunter2");
  });

  it("tells refusals and failures apart, and what pages and probes ask from the rest", async () => {
    const entries = await logged(async (server) => {
      await server.post("/v1/embeddings", {});
      await server.post("/v1/embeddings", { model: "a/b", input: "a cat" });
      await server.fetch("/status");
    });
    expect(entries.map(({ status, outcome, error, routine }) => [status, outcome, error, routine])).toEqual([
      [400, "refused", "invalid_request", false],
      [503, "failed", "offline", false],
      [200, "completed", undefined, true],
    ]);
  });

  it("names a request itself where its caller's name could break a line", async () => {
    const [entry] = await logged((server) =>
      server.fetch("/livez", { headers: { "x-request-id": "a b;c" } }),
    );
    expect(entry.id).toMatch(/^req_[\da-f]{32}$/);
  });
});
