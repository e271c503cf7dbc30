import { z } from "zod";
import type { ClassifyEvent, LabelScore } from "../../../../core/index.js";
import { runModel } from "../../../model-run.js";
import { route } from "../../../route.js";
import { newId } from "../answers.js";
import { modelName, optional, schedulingFields } from "../fields.js";
import { checkItems, oneOrListOf, text } from "../text-input.js";
import { judgement } from "./judgement.js";

const MAX_LABELS = 1000;
const MAX_LABEL = 256;

const notEmpty = text.min(1, { error: "must not be empty" });

const moderationRequest = z.object({
  model: modelName.describe("Any text classifier."),
  input: oneOrListOf(notEmpty),
  harmless_labels: optional(z.array(z.string().max(MAX_LABEL)).max(MAX_LABELS)).describe(
    "Extension: labels of the model that say that a text is fine.",
  ),
  truncate: optional(z.boolean()).describe(
    "Extension: cut texts that are longer than the model reads. By default they are refused.",
  ),
  keep_alive: schedulingFields.keep_alive,
});

const moderationResponse = z.object({
  id: z.string(),
  model: z.string().describe("As the request named it."),
  results: z.array(
    z.object({
      flagged: z.boolean().describe("Some category flags the text."),
      categories: z
        .record(z.string(), z.boolean())
        .describe("Of each label of the model: does it flag the text?"),
      category_scores: z.record(z.string(), z.number()).describe("Probabilities."),
      category_applied_input_types: z.record(z.string(), z.tuple([z.literal("text")])),
    }),
  ),
});

export const moderations = route({
  method: "POST",
  paths: ["/v1/moderations"],
  scope: "infer",
  tag: "Vectors",
  summary: "say whether texts are flagged by a classifier",
  example: { model: "toxic-bert", input: "What a lovely day!" },
  description:
    "The categories are the model's own labels. Where one label fits a text, the likeliest flags it; where any number " +
    "do, those with a probability of at least 0.5. A harmless label flags nothing: one that `harmless_labels` names, or " +
    "else one called acceptable, benign, clean, ham, harmless, neutral, none, normal, ok, safe or sfw, or that denies " +
    "another (`non-toxic` beside `toxic`). A model of whose labels one always fits and none is harmless is refused.",
  body: moderationRequest,
  response: moderationResponse,
  async handle(request): Promise<z.output<typeof moderationResponse>> {
    const { body, server } = request;
    const { model, truncate, harmless_labels: harmless } = body;
    const input = typeof body.input === "string" ? [body.input] : body.input;
    checkItems(input.length, "input", server.config);
    const choice = server.models.choice(model, { keepAlive: body.keep_alive });
    const { events } = await runModel<ClassifyEvent>(request, choice, (signal) =>
      server.engine.classify({ ...choice, input, truncate }, signal),
    );
    const found: LabelScore[][] = [];
    for await (const event of events) {
      if (event.type === "classification") found.push(event.labels);
      else {
        const { problem } = event;
        const results = found.map((labels) => judgement(labels, { problem, harmless }));
        return { id: newId("modr-"), model, results };
      }
    }
    throw new TypeError("an answer ended without its end");
  },
});
