import { Agent, type ClientRequest, type IncomingMessage, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "./text.ts";

export interface Traffic {
  url: string;
  /** Makes text, and stays loaded. */
  chat: string;
  /** Makes vectors, and is unloaded and loaded now and then. */
  encoder: string;
  requests: number;
  seed: number;
  /** Clients at the same time. */
  clients: number;
  /** Called between requests, `done` of them have ended. */
  onProgress?(done: number): Promise<void>;
}

/** How requests ended, as their clients saw it. */
export interface TrafficCounts {
  completed: number;
  refused: number;
  failed: number;
  /** Left in the middle of an answer. */
  left: number;
  /** Left so early that the server may never have seen them. */
  perhaps: number;
  /** What failed, by its status and code. */
  failures: Record<string, number>;
}

/** All kinds of requests in random order, the same for the same seed: good ones, bad ones, and clients that leave. */
export async function sendTraffic(traffic: Traffic): Promise<TrafficCounts> {
  const random = seededRandom(traffic.seed);
  const agent = new Agent({ keepAlive: true });
  const counts: TrafficCounts = { completed: 0, refused: 0, failed: 0, left: 0, perhaps: 0, failures: {} };
  let begun = 0;
  let done = 0;
  const client = async (): Promise<void> => {
    while (begun++ < traffic.requests) {
      const planned = plan(traffic, random);
      const { end, status, text } = await send(traffic.url, agent, planned);
      counts[end] += 1;
      if (end === "failed") {
        const what = `${planned.path} ${status} ${/"code":"(\w+)"/.exec(text)?.[1]}`;
        counts.failures[what] = (counts.failures[what] ?? 0) + 1;
      }
      if (planned.expected !== undefined && end !== planned.expected)
        throw new Error(
          `${planned.path} ended as ${end} (${status}), not as ${planned.expected}: ${text.slice(0, 500)}`,
        );
      done += 1;
      await traffic.onProgress?.(done);
    }
  };
  try {
    await Promise.all(Array.from({ length: traffic.clients }, client));
  } finally {
    agent.destroy();
  }
  return counts;
}

type End = Exclude<keyof TrafficCounts, "failures">;

interface Planned {
  path: string;
  method?: string;
  body?: string;
  expected?: End;
  /** Leaves behind so many pieces of the answer. */
  leaveAfter?: number;
  /** Leaves so many milliseconds after the request was sent. */
  leaveWithin?: number;
  /** Sends only so much of the body, then leaves. */
  cut?: number;
}

/** Weights of the kinds below. */
const kinds = Object.entries({
  stream: 20,
  answer: 14,
  completion: 10,
  vector: 20,
  tokens: 4,
  leaveStream: 9,
  leaveAnswer: 5,
  halfBody: 3,
  noJson: 3,
  wrongField: 5,
  unknownModel: 3,
  wrongTask: 2,
  unknownUrl: 2,
  tooLong: 3,
  look: 3,
  load: 0.3,
  unload: 0.3,
}).flatMap(([kind, weight]) => Array<string>(weight * 10).fill(kind));

function plan({ chat, encoder }: Traffic, random: () => number): Planned {
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)];
  const upTo = (most: number): number => 1 + Math.floor(random() * most);
  const words = (most: number): string => Array.from({ length: upTo(most) }, () => pick(WORDS)).join(" ");
  const ask = (more: object) => ({
    model: chat,
    messages: [{ role: "user", content: words(30) }],
    max_tokens: upTo(16),
    seed: upTo(1000),
    ...more,
  });
  const post = (path: string, body: object, expected?: End): Planned => ({
    path,
    body: JSON.stringify(body),
    expected,
  });
  const chats = "/v1/chat/completions";
  switch (pick(kinds)) {
    case "stream":
      return post(chats, ask({ stream: true, stream_options: { include_usage: true } }), "completed");
    case "answer":
      return post(chats, ask(pick(VARIANTS)), "completed");
    case "completion":
      return post(
        "/v1/completions",
        { model: chat, prompt: words(20), max_tokens: upTo(12), stream: random() < 0.5 },
        "completed",
      );
    case "vector":
      return post(
        "/v1/embeddings",
        {
          model: encoder,
          input: Array.from({ length: upTo(4) }, () => words(8)),
          encoding_format: pick(["float", "base64"]),
        },
        "completed",
      );
    case "tokens":
      return post("/tokenize", { model: chat, prompt: words(30) }, "completed");
    case "leaveStream":
      return {
        ...post(chats, ask({ stream: true, max_tokens: 200, ignore_eos: true })),
        leaveAfter: upTo(12),
      };
    case "leaveAnswer":
      return { ...post(chats, ask({ max_tokens: 200, ignore_eos: true })), leaveWithin: upTo(60) };
    case "halfBody":
      return { ...post(chats, ask({})), cut: upTo(60) };
    case "noJson":
      return { path: chats, body: pick(["", "{", "[]", "null", '{"model":', "\u0000"]), expected: "refused" };
    case "wrongField":
      return post(chats, ask(pick(MISTAKES)), "refused");
    case "unknownModel":
      return post(chats, ask({ model: "no-such-model" }), "refused");
    case "wrongTask":
      return post("/v1/embeddings", { model: chat, input: "a" }, "refused");
    case "unknownUrl":
      return post(`/v1/${pick(WORDS)}`, {}, "refused");
    case "tooLong":
      return post(chats, ask({ messages: [{ role: "user", content: "cat ".repeat(3000) }] }), "refused");
    case "load":
      return post("/models/load", { model: encoder, stream: random() < 0.5 }, "completed");
    case "unload":
      return post("/models/unload", { model: encoder }, "completed");
    default:
      return { path: pick(["/health", "/status", "/v1/models"]), method: "GET", expected: "completed" };
  }
}

const WORDS = ["the", "cat", "sat", "on", "a", "dog", "and", "ran", "home", "ünï", "🤖"];

const VARIANTS: object[] = [
  {},
  { n: 2 },
  { temperature: 0 },
  { logprobs: true, top_logprobs: 2 },
  { stop: ["a", "e"] },
  { response_format: { type: "json_object" } },
];

const MISTAKES: object[] = [
  { temperature: 9 },
  { messages: [] },
  { max_tokens: -1 },
  { stream: "yes" },
  { model: null },
  { audio: { voice: "a" } },
  { top_logprobs: 3 },
];

const HANG_MS = 120_000;

interface Sent {
  end: End;
  status?: number;
  text: string;
}

function send(url: string, agent: Agent, planned: Planned): Promise<Sent> {
  const { path, method = "POST", body = "", cut, leaveAfter, leaveWithin } = planned;
  const headers =
    method === "POST"
      ? { "content-type": "application/json", "content-length": Buffer.byteLength(body) }
      : {};
  return new Promise((resolve, reject) => {
    const leaving = leaveAfter ?? leaveWithin ?? cut;
    const asked = request(url + path, { method, headers, timeout: HANG_MS, agent });
    let answered = false;
    asked.on("timeout", () => asked.destroy(new Error(`${path}: no answer within ${HANG_MS} ms`)));
    asked.on("error", (error) => {
      if (leaving === undefined) reject(error);
      else resolve({ end: answered ? "left" : "perhaps", text: "" });
    });
    asked.on("response", (response) => {
      answered = true;
      read(response, asked, leaveAfter).then(resolve, (error: Error) =>
        leaving === undefined ? reject(error) : resolve({ end: "left", text: "" }),
      );
    });
    if (cut !== undefined) {
      asked.write(Buffer.from(body).subarray(0, Math.min(cut, body.length - 1)));
      sleep(5).then(() => asked.destroy());
      return;
    }
    asked.end(body);
    if (leaveWithin !== undefined) sleep(leaveWithin).then(() => asked.destroy());
  });
}

async function read(
  response: IncomingMessage,
  asked: ClientRequest,
  leaveAfter = Number.POSITIVE_INFINITY,
): Promise<Sent> {
  const status = response.statusCode!;
  const parts: Buffer[] = [];
  for await (const part of response) {
    parts.push(part as Buffer);
    if (parts.length < leaveAfter) continue;
    asked.destroy();
    return { end: "left", status, text: "" };
  }
  const text = Buffer.concat(parts).toString();
  if (status >= 400) return { end: status < 500 ? "refused" : "failed", status, text };
  const isStream = response.headers["content-type"]?.startsWith("text/event-stream");
  return { end: isStream && text.includes('"error":{') ? "failed" : "completed", status, text };
}
