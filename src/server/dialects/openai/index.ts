import type { Dialect } from "../types.js";
import { chatCompletions } from "./chat-completions/route.js";
import { classify } from "./classify.js";
import { completions } from "./completions/route.js";
import { embeddings } from "./embeddings/route.js";
import { errorBody } from "./error-body.js";
import { deleteModel, model, models } from "./models/route.js";
import { moderations } from "./moderations/route.js";
import { rerank } from "./rerank.js";
import { createResponse } from "./responses/route.js";
import { storedResponses } from "./responses/stored-responses.js";
import { detokenize, tokenize } from "./tokens.js";

/** OpenAI's API, and what clients of it expect beside it. */
export const openai: Dialect = {
  name: "openai",
  routes: [
    chatCompletions,
    completions,
    embeddings,
    createResponse,
    ...storedResponses,
    rerank,
    classify,
    moderations,
    tokenize,
    detokenize,
    models,
    model,
    deleteModel,
  ],
  errorBody,
};
