import { describe, expect, it } from "vitest";
import { golden } from "../../../golden/reference.js";
import { sharedServing } from "../../serving.js";

/** Requests, answers and errors cross the border of a process here. */
const hosted = sharedServing({ isolation: "process", config: { dtype: "fp32" } });
const inside = sharedServing({ config: { dtype: "fp32" } });
const { prompts } = golden("llama-gqa").reference;

/** The answers of both servers, without what is new in each. */
async function both(path: string, body: object): Promise<unknown[]> {
  return Promise.all(
    [hosted, inside].map(async (server) => {
      const answer = (await (await server().post(path, body)).json()) as Record<string, unknown>;
      return { ...answer, id: undefined, created: undefined };
    }),
  );
}

describe("models in processes of their own answer as in this one", () => {
  const llama = { model: "golden/llama-gqa", temperature: 0, max_tokens: 6 };
  const ids = prompts.map(({ tokens }) => tokens);

  it.each<[string, string, object]>([
    ["completions", "/v1/completions", { ...llama, prompt: ids, n: 2, logprobs: 2, echo: true }],
    [
      "embeddings of token ids",
      "/v1/embeddings",
      {
        model: "golden/bert-mean",
        input: [
          [2, 5, 3],
          [2, 7, 3],
        ],
      },
    ],
    ["labels", "/v1/classify", { model: "golden/bert-classes", input: ["cat", "a dog"] }],
    ["ranks", "/v1/rerank", { model: "golden/bert-ranker", query: "cat", documents: ["a dog", "a cat"] }],
    ["moderations", "/v1/moderations", { model: "golden/bert-classes", input: "cat" }],
    ["tokens", "/tokenize", { model: llama.model, prompt: "a cat", return_token_strs: true }],
    ["texts of tokens", "/detokenize", { model: llama.model, tokens: ids[1] }],
    ["ids of another model", "/v1/embeddings", { model: "golden/bert-mean", input: [1e9] }],
    ["too long a prompt", "/v1/completions", { ...llama, prompt: "a ".repeat(2000) }],
  ])("%s", async (_what, path, body) => {
    const [there, here] = await both(path, body);
    expect(there).toEqual(here);
  });

  it("and a stream that is left stops the work of all its prompts", async () => {
    const stream = await hosted()
      .client()
      .completions.create({
        ...llama,
        prompt: prompts.map(({ text }) => text),
        max_tokens: 300,
        stream: true,
      });
    for await (const _ of stream) break;
    const idle = async () => (await hosted().engine.ps()).every(({ inUse }) => inUse === 0);
    await expect.poll(idle, { timeout: 10_000 }).toBe(true);
    const status = (await (await hosted().fetch("/status")).json()) as { requests: { active: unknown[] } };
    expect(status.requests.active).toHaveLength(1);
  });
});
