import { Agent, request } from "node:http";
import { afterAll, describe, expect, it } from "vitest";
import { silentLog } from "../../src/server/access-log.js";
import fc from "../property.js";
import { bodiesOf } from "./fuzz/bodies.js";
import { addressOf, samplesOf } from "./fuzz/samples.js";
import { type Answer, judged } from "./fuzz/verdict.js";
import { sharedServing } from "./serving.js";

// `HFMS_FUZZ_RUNS=50000 HFMS_FUZZ_SEED=7 npx vitest run test/server/fuzz.test.ts` looks longer, and elsewhere.
const runs = Number(process.env.HFMS_FUZZ_RUNS ?? 400);
const seed = Number(process.env.HFMS_FUZZ_SEED ?? 1);
const HOUR_MS = 3_600_000;
/** An answer that takes longer hangs. */
const HANG_MS = 60_000;

const unexpected: Error[] = [];
const server = sharedServing({
  config: { requestTimeout: 30_000 },
  log: { ...silentLog, failure: (error) => unexpected.push(error) },
});
const agent = new Agent({ keepAlive: true });
afterAll(() => agent.destroy());

/** In random order, so that operations meet each other. */
const requests = fc.nat().chain((pick) => {
  const all = server().running.server.context.routes.filter(({ method }) => method === "POST");
  // Those with the most fields come most often.
  const routes = [...all, ...all.filter(({ events }) => events), ...all.filter(({ events }) => events)];
  const route = routes[pick % routes.length];
  const path = addressOf(route.paths[0]);
  if (!route.body) return fc.constant({ path, body: new Uint8Array() });
  return fc.record({ path: fc.constant(path), body: bodiesOf(route, samplesOf(route.paths[0])) });
});

const names = fc.constantFrom(
  ..."accept accept-encoding authorization content-encoding content-type cookie expect host if-none-match origin range x-api-key x-forwarded-for x-request-id transfer-encoding content-length".split(
    " ",
  ),
);
const headerValue = fc.oneof(
  fc.string({ maxLength: 30 }).map((text) => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, "")),
  fc.constantFrom(
    "",
    "*/*",
    "text/html",
    "text/event-stream",
    "gzip;q=0",
    "Bearer hfms_x",
    "Basic !!!",
    "application/json; charset=utf-16",
    "text/plain",
    "null",
    "http://evil.example",
    "localhost",
    "evil.example",
    "[::1]:99999",
    "chunked, gzip",
    "a".repeat(9000),
  ),
);
const headers = fc.dictionary(names, headerValue, { maxKeys: 4, noNullPrototype: true });

describe("whatever is sent", () => {
  it(`is answered, or refused in OpenAI's words: ${runs} bodies`, { timeout: HOUR_MS }, async () => {
    await fc.assert(
      fc.asyncProperty(requests, async ({ path, body }) => {
        const answer = await ask("POST", path, body);
        judged(answer);
        expect(unexpected.splice(0)).toEqual([]);
        expect(await inUse()).toEqual([]);
      }),
      { numRuns: runs, seed, interruptAfterTimeLimit: HOUR_MS, endOnFailure: true },
    );
    expectNothingLeft();
    // Enough of them were good enough for the engine.
    expect(server().running.server.context.activities.totals.completed).toBeGreaterThan(runs / 8);
  });

  it("is answered whatever its headers say", { timeout: HOUR_MS }, async () => {
    const paths = fc.constantFrom(
      "/v1/chat/completions",
      "/v1/models",
      "/",
      "/docs",
      "/health",
      "/nowhere",
      "/%ZZ",
      "/v1/models/a%2fb",
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("GET", "POST", "OPTIONS", "PUT", "DELETE", "HEAD"),
        paths,
        headers,
        async (method, path, sent) => {
          const answer = await ask(method, path, Buffer.from("{}"), sent);
          if (method !== "HEAD") judgedLoosely(answer);
          expect(unexpected.splice(0)).toEqual([]);
        },
      ),
      { numRuns: Math.ceil(runs / 2), seed, endOnFailure: true },
    );
    expectNothingLeft();
  });
});

/** Node itself refuses what is no HTTP, with no body. */
function judgedLoosely(answer: Answer): void {
  if (answer.text === "" && answer.status >= 400 && answer.status < 500) return;
  if (answer.status === 204 || answer.type.startsWith("text/html")) return;
  judged(answer);
}

/** Models that a request holds, though all are answered: they could never be unloaded. */
async function inUse(): Promise<string[]> {
  return (await server().engine.ps()).filter((one) => one.inUse > 0).map(({ model }) => model);
}

function expectNothingLeft(): void {
  const { active, totals } = server().running.server.context.activities;
  const { received, completed, refused, failed, cancelled } = totals;
  expect(active).toEqual([]);
  expect(completed + refused + failed + cancelled).toBe(received);
}

function ask(
  method: string,
  path: string,
  body: Uint8Array,
  sent: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = {
      "content-type": "application/json",
      "content-length": String(body.byteLength),
      ...sent,
    };
    const asked = request(
      new URL(path, server().url),
      { method, headers, agent, timeout: HANG_MS },
      (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(parts).toString();
          resolve({ status: response.statusCode!, type: response.headers["content-type"] ?? "", text });
        });
      },
    );
    asked.on("timeout", () => asked.destroy(new Error(`no answer within ${HANG_MS} ms`)));
    asked.on("error", reject);
    asked.end(body);
  });
}
