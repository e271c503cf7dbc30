import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { silentLog } from "../../src/server/access-log.js";
import fc from "../property.js";
import { sharedServing } from "./serving.js";

// Looks longer, and elsewhere, as fuzz.test.ts does.
const runs = Number(process.env.HFMS_FUZZ_RUNS ?? 400);
const seed = Number(process.env.HFMS_FUZZ_SEED ?? 1);
/** Connections at the same time. */
const TOGETHER = 16;
const HOUR_MS = 3_600_000;

const unexpected: Error[] = [];
const server = sharedServing({
  config: { headersTimeout: 600, bodyTimeout: 600, connectionKeepAlive: 600, maxHeaderBytes: 8192 },
  log: { ...silentLog, failure: (error) => unexpected.push(error) },
});

const body = JSON.stringify({
  model: "golden/llama-gqa",
  messages: [{ role: "user", content: "a" }],
  max_tokens: 2,
});
const chat = "/v1/chat/completions";
const head = (path: string, ...lines: string[]): string =>
  [`POST ${path} HTTP/1.1`, "host: localhost", "content-type: application/json", ...lines, "", ""].join(
    "\r\n",
  );
const last = "connection: close";
const post = (path: string, text: string, ...lines: string[]): string =>
  head(path, `content-length: ${Buffer.byteLength(text)}`, ...lines) + text;
const get = (path: string, ...lines: string[]): string =>
  [`GET ${path} HTTP/1.1`, ...lines, "", ""].join("\r\n");

afterEach(async () => {
  expect(unexpected.splice(0)).toEqual([]);
  expect((await server().fetch("/health")).status).toBe(200);
  const { activities } = server().running.server.context;
  await activities.idle();
  const { received, completed, refused, failed, cancelled } = activities.totals;
  expect(completed + refused + failed + cancelled).toBe(received);
});

describe("what is no proper HTTP", () => {
  it.each([
    ["no HTTP at all", "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003", 400],
    ["HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
    ["HTTP/0.9", "GET /health\r\n\r\n", 403],
    ["a version that there is not", "GET /health HTTP/9.9\r\nhost: localhost\r\n\r\n", 400],
    ["no host", get("/health", last), 400],
    ["two hosts", get("/health", "host: localhost", last, "host: evil.example"), 403],
    ["a header without a name", get("/health", "host: localhost", last, ": a"), 400],
    ["a zero byte in a header", get("/health", "host: localhost", last, "x-a: a\u0000b"), 400],
    ["a header over two lines", get("/health", "host: localhost", last, "x-a: a", "  b"), 400],
    ["a line feed alone", "GET /health HTTP/1.1\nhost: localhost\n\n", 400],
    ["more headers than allowed", get("/health", "host: localhost", last, `x-a: ${"a".repeat(10_000)}`), 413],
    [
      "a flood of headers",
      get("/health", "host: localhost", last, ...Array(9000).fill("x-a: abcdefghij")),
      431,
    ],
    ["a path without an end", get(`/${"a".repeat(200_000)}`, "host: localhost", last), 431],
    [
      "a length and chunks",
      `${head(chat, last, "content-length: 5", "transfer-encoding: chunked")}0\r\n\r\n`,
      400,
    ],
    ["two lengths", `${head(chat, last, "content-length: 5", "content-length: 6")}abcde`, 400],
    ["a length below 0", head(chat, last, "content-length: -1"), 400],
    ["a length that is no number", head(chat, last, "content-length: 0x10"), 400],
    ["a length larger than allowed", head(chat, last, "content-length: 99999999999"), 413],
    [
      "chunks that are not the last coding",
      `${head(chat, last, "transfer-encoding: chunked, gzip")}0\r\n\r\n`,
      400,
    ],
    [
      "a chunk's size that is no number",
      `${head(chat, last, "transfer-encoding: chunked")}zz\r\n{}\r\n0\r\n\r\n`,
      400,
    ],
    [
      "a chunk's size beyond numbers",
      `${head(chat, last, "transfer-encoding: chunked")}${"f".repeat(17)}\r\n{}`,
      400,
    ],
    [
      "a chunk longer than its size",
      `${head(chat, last, "transfer-encoding: chunked")}2\r\n${body}\r\n0\r\n\r\n`,
      400,
    ],
    ["an expectation that nobody meets", post(chat, body, last, "expect: a-miracle"), 417],
    ["an address of another host", get("http://evil.example/health", last, "host: evil.example"), 403],
    ["an address that is none", get("http://[::1/health", "host: localhost", last), 200],
    ["a host that is none", get("/health", last, "host: a b"), 403],
    ["an empty host", get("/health", last, "host:"), 403],
    ["the star", "OPTIONS * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", 204],
    ["a path that begins twice", get("//evil.example/health", "host: localhost", last), 404],
    ["a tunnel", "CONNECT localhost:80 HTTP/1.1\r\nhost: localhost\r\n\r\n", undefined],
    [
      "a web socket",
      get("/health", "host: localhost", "connection: upgrade, close", "upgrade: websocket"),
      200,
    ],
  ])("is refused or taken for what it is: %s", async (_what, bytes, status) => {
    const text = await exchange([Buffer.from(bytes, "latin1")]);
    expect(statusesOf(text)[0]).toBe(status);
  });

  it("is not waited for: half a head, half a body, half a chunk", async () => {
    const bodies = [post(chat, body).slice(0, -10), `${head(chat, "transfer-encoding: chunked")}5\r\n{`];
    const late = await Promise.all(bodies.map((half) => exchange([Buffer.from(half)])));
    for (const answer of late) expect(statusesOf(answer)).toEqual([504]);
    // Node looks for late heads every half minute; these leave before.
    const left = [...bodies, post(chat, body).slice(0, 40), ""].map((half) =>
      exchange([Buffer.from(half)], "end"),
    );
    for (const answer of await Promise.all(left)) expect([undefined, 400]).toContain(statusesOf(answer)[0]);
  });

  it("may be several requests at once: they are answered in their order", async () => {
    const all = [
      get("/health", "host: localhost"),
      post(chat, body),
      post(chat, "{"),
      get("/nowhere", "host: localhost", last),
    ];
    const answers = await exchange([Buffer.from(all.join(""))]);
    expect(statusesOf(answers)).toEqual([200, 200, 400, 404]);
  });

  it("may follow a request that was refused before its body was read", async () => {
    const [large] = statusesOf(
      await exchange([Buffer.from(post("/nowhere", body) + get("/health", "host: localhost", last))]),
    );
    expect(large).toBe(404);
    const answers = await exchange([
      Buffer.from(post(chat, body, "content-type: text/plain") + get("/health", "host: localhost", last)),
    ]);
    expect(statusesOf(answers)[0]).toBe(415);
    for (const status of statusesOf(answers).slice(1)) expect(status).toBe(200);
  });

  it("does no harm, whatever the bytes are and wherever the connection ends", {
    timeout: HOUR_MS,
  }, async () => {
    const good = fc.constantFrom(
      post(chat, body),
      get("/health", "host: localhost"),
      post(chat, body.replace("{", '{"stream":true,')),
      `${head("/v1/embeddings", "transfer-encoding: chunked")}2\r\n{}\r\n0\r\n\r\n`,
    );
    const edits = fc.array(
      fc.record({ at: fc.nat(), remove: fc.nat(4), insert: fc.uint8Array({ maxLength: 3 }) }),
      { maxLength: 4 },
    );
    const bytes = fc.oneof(
      {
        weight: 6,
        arbitrary: fc
          .tuple(fc.array(good, { minLength: 1, maxLength: 3 }), edits)
          .map(([parts, some]) => edited(Buffer.from(parts.join("")), some)),
      },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((some) => Buffer.from(some)) },
    );
    const cuts = fc.array(fc.nat(), { maxLength: 3 });
    const ends = fc.constantFrom<End>("end", "destroy");
    const cases = fc.array(fc.tuple(bytes, cuts, ends), { minLength: TOGETHER, maxLength: TOGETHER });
    await fc.assert(
      fc.asyncProperty(cases, async (all) => {
        const answers = await Promise.all(all.map(([some, at, end]) => exchange(cut(some, at), end)));
        for (const answer of answers) {
          for (const status of statusesOf(answer)) expect(status < 500 || status === 504).toBe(true);
        }
      }),
      { numRuns: Math.ceil(runs / TOGETHER), seed, endOnFailure: true },
    );
  });
});

type End = "wait" | "end" | "destroy";

/** What the server says to these pieces until the connection is over; a server that never ends it lets the test time out. */
function exchange(pieces: Buffer[], end: End = "wait"): Promise<string> {
  const { hostname, port } = new URL(server().url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = "";
    socket.setEncoding("latin1");
    socket.on("data", (part: string) => {
      text += part;
    });
    // A reset is an end, too.
    socket.on("error", () => {});
    socket.on("close", () => resolve(text));
    socket.on("connect", async () => {
      for (const piece of pieces) {
        if (socket.writable) socket.write(piece);
        await sleep(1);
      }
      if (end === "end") socket.end();
      if (end === "destroy") socket.destroy();
    });
  });
}

function statusesOf(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
}

function edited(bytes: Buffer, edits: { at: number; remove: number; insert: Uint8Array }[]): Buffer {
  return edits.reduce((some, { at, remove, insert }) => {
    const place = at % Math.max(1, some.length);
    return Buffer.concat([some.subarray(0, place), insert, some.subarray(place + remove)]);
  }, bytes);
}

function cut(bytes: Buffer, cuts: number[]): Buffer[] {
  const places = cuts.map((at) => at % Math.max(1, bytes.length)).sort((a, b) => a - b);
  return [0, ...places].map((from, i) => bytes.subarray(from, places[i] ?? bytes.length));
}
