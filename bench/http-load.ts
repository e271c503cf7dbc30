import { Agent, type IncomingMessage, request } from "node:http";

/** How often a request is sent that the server hangs up on before it answers, and milliseconds between two tries. */
const TRIES = 100;
const PAUSE = 10;

/** One answer that was streamed, as its client saw it. */
export interface StreamedChat {
  /** Milliseconds until the first piece of text. */
  firstMs: number;
  promptTokens: number;
  completionTokens: number;
}

export interface ChatLoad {
  /** Tokens of the answers per second, from the first request to the end of the last answer. */
  rate: number;
  /** Milliseconds, the 95th percentile. */
  first95: number;
  promptTokens: number;
  completionTokens: number;
}

/**
 * Clients of an OpenAI server, all in this process, each with a connection that it keeps. They look at as little of an
 * answer as they can: when its first text comes, and what its usage says at the end.
 */
export class HttpLoad implements Disposable {
  readonly #url: string;
  readonly #agent: Agent;

  constructor(url: string, connections: number) {
    this.#url = url;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Every client sends a body and reads the whole answer, then takes the next body, until there are none. */
  async chats(bodies: readonly object[], clients: number): Promise<ChatLoad> {
    const start = performance.now();
    const answers = await together(bodies, clients, (body) => this.chat(body));
    const seconds = (performance.now() - start) / 1000;
    const sum = (count: (answer: StreamedChat) => number) =>
      answers.reduce((all, one) => all + count(one), 0);
    const completionTokens = sum((answer) => answer.completionTokens);
    return {
      rate: completionTokens / seconds,
      first95: percentile(
        answers.map(({ firstMs }) => firstMs),
        0.95,
      ),
      promptTokens: sum((answer) => answer.promptTokens),
      completionTokens,
    };
  }

  async chat(body: object): Promise<StreamedChat> {
    const start = performance.now();
    const response = await this.#post("/v1/chat/completions", body);
    let firstMs = 0;
    const parts: Buffer[] = [];
    await read(response, (part) => {
      parts.push(part);
      // The first chunks of an answer have a role and no text.
      if (firstMs === 0 && /"content":"[^"]/.test(part.toString("latin1")))
        firstMs = performance.now() - start;
    });
    const text = Buffer.concat(parts).toString();
    if (response.statusCode !== 200 || firstMs === 0) throw new Error(`no answer: ${text.slice(0, 1000)}`);
    const usage = text.slice(text.lastIndexOf('"usage":{'));
    const count = (field: string) => Number(new RegExp(`"${field}":(\\d+)`).exec(usage)?.[1]);
    return {
      firstMs,
      promptTokens: count("prompt_tokens"),
      completionTokens: count("completion_tokens"),
    };
  }

  /** Milliseconds until every body has its answer, whatever is in it. */
  async posts(path: string, bodies: readonly object[], clients: number): Promise<number> {
    const start = performance.now();
    await together(bodies, clients, async (body) => {
      const response = await this.#post(path, body);
      await read(response, () => {});
      if (response.statusCode !== 200) throw new Error(`${path} answered ${response.statusCode}`);
    });
    return performance.now() - start;
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #post(path: string, body: object): Promise<IncomingMessage> {
    const text = JSON.stringify(body);
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
    const ask = (tries: number): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const asked = request(this.#url + path, { method: "POST", headers, agent: this.#agent }, resolve);
        // llama-server closes connections that it said it would keep, and for a moment new ones too.
        asked.on("error", async (error) => {
          if (tries === 1) return reject(error);
          await new Promise((again) => setTimeout(again, PAUSE));
          resolve(ask(tries - 1));
        });
        asked.end(text);
      });
    return ask(TRIES);
  }
}

/** The value that so many of the values, a share, are not above. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
}

async function together<T, R>(
  items: readonly T[],
  workers: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: workers }, async () => {
      while (next < items.length) results.push(await work(items[next++]));
    }),
  );
  return results;
}

function read(response: IncomingMessage, onPart: (part: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    response.on("data", onPart);
    response.on("end", resolve);
    response.on("error", reject);
  });
}
