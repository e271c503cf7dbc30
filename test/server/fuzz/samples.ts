/** A good body for each operation, small enough for many of them. */
const chat = "golden/llama-gqa";
const encoder = "golden/bert-mean";
const classifier = "golden/bert-classes";
const ranker = "golden/bert-ranker";

const messages = [{ role: "user", content: "the cat sat" }];
const weather = {
  type: "function",
  function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
};
const answer = {
  type: "json_schema",
  json_schema: { name: "a", schema: { type: "object", properties: { a: { type: "integer" } } } },
};

type Samples = Record<string, unknown>[];

const samples: Record<string, Samples> = {
  "/v1/chat/completions": [
    { model: chat, messages, max_tokens: 4 },
    { model: chat, messages, max_tokens: 4, stream: true, stream_options: { include_usage: true } },
    { model: chat, messages, max_tokens: 3, n: 2, logprobs: true, top_logprobs: 2, seed: 3, stop: ["x"] },
    { model: chat, messages, max_tokens: 6, response_format: answer },
    { model: chat, messages, max_tokens: 6, tools: [weather], tool_choice: "required" },
    { model: chat, messages, max_tokens: 4, guided_regex: "[a-c]{1,3}" },
  ],
  "/v1/completions": [
    { model: chat, prompt: "the cat", max_tokens: 4 },
    { model: chat, prompt: ["a", "b"], max_tokens: 3, stream: true, echo: true, logprobs: 2 },
    { model: chat, prompt: [5, 6, 7], max_tokens: 3, n: 2, best_of: 2 },
  ],
  "/v1/responses": [
    { model: chat, input: "the cat", max_output_tokens: 16 },
    { model: chat, input: messages, max_output_tokens: 16, stream: true },
  ],
  "/v1/embeddings": [
    { model: encoder, input: "a cat" },
    { model: encoder, input: ["a cat", "a dog"], encoding_format: "base64", dimensions: 8 },
    { model: encoder, input: [[5, 6, 7]] },
  ],
  "/v1/classify": [{ model: classifier, input: ["a cat", "a dog"] }],
  "/v1/moderations": [{ model: classifier, input: "a cat" }],
  "/v1/rerank": [{ model: ranker, query: "a cat", documents: ["a dog", "the cat"] }],
  "/tokenize": [
    { model: chat, prompt: "a cat" },
    { model: chat, messages },
  ],
  "/detokenize": [{ model: chat, tokens: [5, 6, 7] }],
  "/models/load": [{ model: encoder }, { model: encoder, stream: true }],
  "/models/unload": [{ model: encoder }, { model: "golden/none" }],
  "/v1/infer/**:model": [
    { input: { question: "Who?", context: "a cat" }, parameters: { top_k_labels: 2, stride: 8 } },
    { input: "a cat" },
    { input: ["a", "b"], parameters: { truncate: true } },
  ],
};

/** Good bodies for a route; of an unknown one, the least that most have. */
export function samplesOf(path: string): Samples {
  return (
    samples[path] ?? [
      { model: chat, input: "a cat" },
      { model: encoder, input: "a cat" },
    ]
  );
}

/** The address of a route, its parameters filled. */
export function addressOf(path: string): string {
  return path.replace(/\*{0,2}:\w+/g, encoder);
}
