import { z } from "zod";
import {
  type AnswerQuestionsEvent,
  aggregations,
  type ClassifyEvent,
  type ClassifyTokensEvent,
  type EmbedEvent,
  type FillMasksEvent,
  type GenerateEvent,
  HfmsError,
  type ModelChoice,
  type RankEvent,
  type ReadyEvent,
} from "../../../core/index.js";
import { type ModelRun, runModel } from "../../model-run.js";
import { type RouteRequest, route } from "../../route.js";
import {
  count,
  optional,
  samplingFields,
  samplingOf,
  schedulingFields,
  sourceTextFields,
  sourceTextOf,
} from "../openai/fields.js";

const MAX_TEXT = 4_000_000;
const MAX_TEXTS = 2048;

const text = z.string().min(1).max(MAX_TEXT);
const texts = z.array(text).min(1).max(MAX_TEXTS);

const body = z
  .object({
    input: z
      .union([
        text,
        texts,
        z.object({ query: text, documents: texts }),
        z.object({ question: text, context: text }),
      ])
      .describe(
        "A text, several, a query and documents, or a question and its context: what the model's task takes.",
      ),
    parameters: optional(
      z.object({
        ...samplingFields,
        ...sourceTextFields,
        max_tokens: optional(count),
        raw: optional(z.boolean()).describe("Continue the text, without the chat template."),
        dimensions: optional(count),
        top_k_labels: optional(count).describe("Only the best labels, answers or tokens."),
        aggregation: optional(z.enum(aggregations)).describe("How labels of tokens become entities."),
        stride: optional(count).describe("Tokens that windows over a long text have in common."),
        targets: optional(texts).describe("Only these tokens for a mask."),
        truncate: optional(z.boolean()).describe("Cut what is too long, instead of refusing it."),
      }),
    ),
    ...schedulingFields,
  })
  .meta({ id: "InferRequest" });

type Body = z.infer<typeof body>;

const response = z
  .object({
    model: z.string(),
    revision: z.string(),
    task: z.string(),
    device: z.string(),
    dtype: z.string(),
    output: z.unknown().describe("One result for a text, a list for several."),
    usage: z.looseObject({}),
  })
  .meta({ id: "InferResponse" });

export const infer = route({
  method: "POST",
  paths: ["/v1/infer/**:model"],
  scope: "infer",
  tag: "Models",
  summary: "let any model do its task",
  example: { input: "It leaves at nine." },
  description:
    "text-generation, translation and summarization return `{text, finish_reason}`, feature-extraction a vector, " +
    "text-classification labels with " +
    "scores, text-ranking the documents' scores, best first, token-classification entities, question-answering the " +
    "best answers, fill-mask for each mask the tokens that fit.",
  body,
  response,
  async handle(request): Promise<z.infer<typeof response>> {
    const { model } = request.params;
    const choice = request.server.models.choice(model, { keepAlive: request.body.keep_alive });
    const { ready, events } = await runModel(request, choice, (signal) =>
      request.server.engine.load(choice, undefined, signal),
    );
    // Until its events have ended, the model counts as in use and can't be unloaded.
    for await (const _ of events);
    const { task, device, dtype, revision, model: id } = ready as ReadyEvent;
    const result = await tasks[task as keyof typeof tasks]?.(request, choice);
    if (!result)
      throw new HfmsError("unsupported_task", `${id} does ${task}, which has no answer here`, {
        param: "model",
      });
    return { model: id, revision, task, device, dtype, ...result };
  },
});

interface Result {
  output: unknown;
  usage: Record<string, unknown>;
}

type Infer = (request: RouteRequest<Body>, choice: ModelChoice) => Promise<Result>;

/** By the Hub's pipeline tag. */
const tasks = {
  "text-generation": generateText,
  "text2text-generation": generateText,
  summarization: generateText,
  translation: generateText,

  "feature-extraction": async (request, choice) => {
    const { input, parameters: { dimensions, truncate } = {} } = request.body;
    const run = await runModel<EmbedEvent>(request, choice, (signal) =>
      request.server.engine.embed({ ...choice, input: listOf(input), dimensions, truncate }, signal),
    );
    return collect(run, input, "embedding", ({ embedding }) => Array.from(embedding));
  },

  "text-classification": async (request, choice) => {
    const { input, parameters: { top_k_labels: topK, truncate } = {} } = request.body;
    const run = await runModel<ClassifyEvent>(request, choice, (signal) =>
      request.server.engine.classify({ ...choice, input: listOf(input), topK, truncate }, signal),
    );
    return collect(run, input, "classification", ({ labels }) => labels);
  },

  "text-ranking": async (request, choice) => {
    const { input, parameters: { truncate } = {} } = request.body;
    if (typeof input === "string" || !("query" in input))
      throw wrongInput("text-ranking takes {query, documents}");
    const run = await runModel<RankEvent>(request, choice, (signal) =>
      request.server.engine.rank({ ...choice, ...input, truncate }, signal),
    );
    const { output, usage } = await collect(run, [], "score", ({ index, score }) => ({ index, score }));
    return { output: (output as { score: number }[]).sort((a, b) => b.score - a.score), usage };
  },

  "token-classification": async (request, choice) => {
    const { input, parameters: { aggregation, stride, truncate } = {} } = request.body;
    const asked = { ...choice, input: listOf(input), aggregation, stride, truncate };
    const run = await runModel<ClassifyTokensEvent>(request, choice, (signal) =>
      request.server.engine.classifyTokens(asked, signal),
    );
    return collect(run, input, "entities", ({ entities }) => entities);
  },

  "question-answering": async (request, choice) => {
    const { input, parameters: { top_k_labels: topK, stride } = {} } = request.body;
    if (typeof input === "string" || !("question" in input))
      throw wrongInput("question-answering takes {question, context}");
    const run = await runModel<AnswerQuestionsEvent>(request, choice, (signal) =>
      request.server.engine.answerQuestions({ ...choice, input: [input], topK, stride }, signal),
    );
    return collect(run, "", "span", ({ answers }) => answers);
  },

  "fill-mask": async (request, choice) => {
    const { input, parameters: { top_k_labels: topK, targets } = {} } = request.body;
    const run = await runModel<FillMasksEvent>(request, choice, (signal) =>
      request.server.engine.fillMasks({ ...choice, input: listOf(input), topK, targets }, signal),
    );
    return collect(run, input, "fillings", ({ masks }) => masks);
  },
} satisfies Record<string, Infer>;

async function generateText(request: RouteRequest<Body>, choice: ModelChoice): Promise<Result> {
  const { input, parameters, ...more } = request.body;
  if (typeof input !== "string") throw wrongInput("the model takes one text");
  const generation = {
    ...choice,
    ...samplingOf({ ...parameters, ...more }),
    ...sourceTextOf(parameters ?? {}),
    prompt: input,
    raw: parameters?.raw,
    maxTokens: parameters?.max_tokens,
  };
  const run = await runModel<GenerateEvent>(request, choice, (signal) =>
    request.server.engine.generate(generation, signal),
  );
  for await (const event of run.events) {
    if (event.type !== "done") continue;
    return { output: { text: event.text, finish_reason: event.finishReason }, usage: { ...event.usage } };
  }
  throw noEnd();
}

function listOf(input: Body["input"]): string[] {
  if (typeof input === "string") return [input];
  if (Array.isArray(input)) return input;
  throw wrongInput("this model takes a text, or a list of them");
}

async function collect<E extends { type: string }, T extends E["type"]>(
  { events }: ModelRun<E>,
  input: Body["input"],
  type: T,
  resultOf: (event: Extract<E, { type: T }>) => unknown,
): Promise<Result> {
  const results: unknown[] = [];
  for await (const event of events as AsyncIterable<E>) {
    if (event.type === type) results.push(resultOf(event as Extract<E, { type: T }>));
    if (event.type !== "done") continue;
    return {
      output: typeof input === "string" ? results[0] : results,
      usage: (event as unknown as { usage: Record<string, unknown> }).usage,
    };
  }
  throw noEnd();
}

function wrongInput(message: string): HfmsError {
  return new HfmsError("invalid_request", message, { param: "input" });
}

function noEnd(): HfmsError {
  return new HfmsError("internal_error", "the answer ended without its last event");
}
