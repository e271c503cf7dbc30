import { z } from "zod";
import type { RankEvent } from "../../../core/index.js";
import { runModel } from "../../model-run.js";
import { route } from "../../route.js";
import { newId } from "./answers.js";
import { usage } from "./embeddings/schemas.js";
import { count, modelName, optional, schedulingFields, unsupported } from "./fields.js";
import { checkItems, listOf, text } from "./text-input.js";

const rerankRequest = z.object({
  model: modelName,
  query: text.min(1),
  documents: listOf(
    z.union([text, z.object({ text })], { error: "must be a text, or an object with `text`" }),
  ),
  top_n: optional(count).describe("Only the best ones."),
  return_documents: optional(z.boolean()).describe("Put each document's text beside its score."),
  raw_scores: optional(z.boolean()).describe(
    "Extension. true: the model's logits. false: their sigmoid, between 0 and 1. Default: as the model's files say.",
  ),
  truncate: optional(z.boolean()).describe(
    "Extension: cut query and document where both are longer than the model reads. By default they are refused.",
  ),
  rank_fields: unsupported("documents are read by their `text`", [], ["text"]),
  keep_alive: schedulingFields.keep_alive,
});

const rerankResponse = z.object({
  id: z.string(),
  model: z.string().describe("As the request named it."),
  results: z
    .array(
      z.object({
        index: z.int().describe("The document's place in the request."),
        relevance_score: z.number().describe("Higher is better."),
        document: z.object({ text: z.string() }).optional(),
      }),
    )
    .describe("Best first."),
  usage,
});

/** In the form of Jina and Cohere. */
export const rerank = route({
  method: "POST",
  paths: ["/v1/rerank", "/rerank", "/v2/rerank"],
  scope: "infer",
  tag: "Vectors",
  summary: "sort documents by how well they answer a query",
  example: {
    model: "ms-marco",
    query: "When does the train leave?",
    documents: ["It leaves at nine.", "It is blue."],
  },
  body: rerankRequest,
  response: rerankResponse,
  async handle(request): Promise<z.output<typeof rerankResponse>> {
    const { body, server } = request;
    const { query, model, top_n: best, raw_scores: raw, truncate } = body;
    checkItems(body.documents.length, "documents", server.config);
    const choice = server.models.choice(model, { keepAlive: body.keep_alive });
    const documents = body.documents.map((document) =>
      typeof document === "string" ? document : document.text,
    );
    const { events } = await runModel<RankEvent>(request, choice, (signal) =>
      server.engine.rank({ ...choice, query, documents, raw, truncate }, signal),
    );
    const results: z.output<typeof rerankResponse>["results"] = [];
    for await (const event of events) {
      if (event.type === "score") {
        const { index, score } = event;
        const document = body.return_documents ? { document: { text: documents[index] } } : {};
        results.push({ index, relevance_score: score, ...document });
      } else {
        // Sorting keeps equal ones in the request's order.
        results.sort((a, b) => b.relevance_score - a.relevance_score);
        return { id: newId("rerank-"), model, results: results.slice(0, best), usage: event.usage };
      }
    }
    throw new TypeError("an answer ended without its end");
  },
});
