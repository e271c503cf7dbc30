import { runModel } from "../../../model-run.js";
import { route } from "../../../route.js";
import { fingerprintOf, newId } from "../answers.js";
import { chunkStream } from "../chunk-stream.js";
import { withParamNames } from "../param-names.js";
import { checkItems } from "../text-input.js";
import { completionChunk, completionRequest, completionResponse } from "./schemas.js";
import { completionChunks, completionOf } from "./stream.js";
import { generateTogether } from "./together.js";
import { fieldNames, generateRequests } from "./translate.js";

export const completions = route({
  method: "POST",
  paths: ["/v1/completions"],
  scope: "infer",
  tag: "Text",
  summary: "continue a text",
  example: { model: "gpt2", prompt: "Once upon a time", max_tokens: 32 },
  description: "Several prompts are continued side by side. Log probabilities have OpenAI's older form.",
  body: completionRequest,
  response: completionResponse,
  events: completionChunk,
  async handle(request) {
    const { body, created, server } = request;
    const { model, n = 1, best_of: made = n, logprobs, stream, stream_options: streamOptions } = body;
    const choice = server.models.choice(model, { keepAlive: body.keep_alive });
    const asked = generateRequests(body, choice);
    checkItems(asked.length * made, "prompt", server.config);
    const options = { n, promptsOnly: body.max_tokens === 0 };
    const { ready, events } = await runModel(
      request,
      choice,
      (signal) => withParamNames(generateTogether(server.engine, asked, signal, options), fieldNames(body)),
      { streaming: stream },
    );
    const fingerprint = fingerprintOf(ready);
    const head = {
      id: newId("cmpl-"),
      object: "text_completion" as const,
      created,
      model,
      ...(fingerprint && { system_fingerprint: fingerprint }),
    };
    if (!stream) return completionOf(events, head, { logprobs });
    const chunks = completionChunks(events, head, { logprobs, includeUsage: streamOptions?.include_usage });
    return chunkStream(chunks, request);
  },
});
