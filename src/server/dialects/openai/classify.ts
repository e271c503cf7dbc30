import { z } from "zod";
import type { ClassifyEvent } from "../../../core/index.js";
import { runModel } from "../../model-run.js";
import { route } from "../../route.js";
import { newId } from "./answers.js";
import { usage } from "./embeddings/schemas.js";
import { count, modelName, optional, schedulingFields } from "./fields.js";
import { withParamNames } from "./param-names.js";
import { checkItems, oneOrListOf, text } from "./text-input.js";

const classifyInput = z.union([text.min(1), z.object({ text: text.min(1), pair: text })], {
  error: "must be a text, or an object with `text` and `pair`",
});

const classifyRequest = z.object({
  model: modelName,
  input: oneOrListOf(classifyInput).describe(
    "Texts; `{text, pair}` are two that are judged together, as an extension.",
  ),
  raw_scores: optional(z.boolean()).describe("The model's logits instead of probabilities."),
  top_k: optional(count).describe("Extension: only the best labels."),
  truncate: optional(z.boolean()).describe(
    "Extension: cut texts that are longer than the model reads. By default they are refused.",
  ),
  keep_alive: schedulingFields.keep_alive,
});

const classifyResponse = z.object({
  object: z.literal("classify"),
  id: z.string(),
  created: z.int().describe("Seconds since 1970."),
  model: z.string().describe("As the request named it."),
  data: z
    .array(z.array(z.object({ label: z.string(), score: z.number() })))
    .describe("For each text its labels, best first."),
  usage,
});

/** In Infinity's form. */
export const classify = route({
  method: "POST",
  paths: ["/v1/classify", "/classify"],
  scope: "infer",
  tag: "Vectors",
  summary: "say which labels fit texts",
  example: { model: "bert-sentiment", input: ["What a lovely day!", "It rains."] },
  body: classifyRequest,
  response: classifyResponse,
  async handle(request): Promise<z.output<typeof classifyResponse>> {
    const { body, created, server } = request;
    const { model, raw_scores: raw, top_k: topK, truncate } = body;
    const input = Array.isArray(body.input) ? body.input : [body.input];
    checkItems(input.length, "input", server.config);
    const choice = server.models.choice(model, { keepAlive: body.keep_alive });
    const { events } = await runModel<ClassifyEvent>(request, choice, (signal) =>
      withParamNames(server.engine.classify({ ...choice, input, raw, topK, truncate }, signal), {}),
    );
    const data: z.output<typeof classifyResponse>["data"] = [];
    for await (const event of events) {
      if (event.type === "classification") data.push(event.labels);
      else return { object: "classify", id: newId("classify-"), created, model, data, usage: event.usage };
    }
    throw new TypeError("an answer ended without its end");
  },
});
