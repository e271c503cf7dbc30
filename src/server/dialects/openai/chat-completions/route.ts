import { runModel } from "../../../model-run.js";
import { route } from "../../../route.js";
import { fingerprintOf, newId } from "../answers.js";
import { chunkStream } from "../chunk-stream.js";
import { withParamNames } from "../param-names.js";
import { checkItems } from "../text-input.js";
import { chatCompletion, chatCompletionChunk } from "./answer-schemas.js";
import { chatCompletionRequest } from "./schemas.js";
import { chunks, completion } from "./stream.js";
import { fieldNames, generateRequest } from "./translate.js";

export const chatCompletions = route({
  method: "POST",
  paths: ["/v1/chat/completions"],
  scope: "infer",
  summary: "answer a conversation",
  example: { model: "smollm2", messages: [{ role: "user", content: "Why is the sky blue?" }] },
  tag: "Chat",
  body: chatCompletionRequest,
  response: chatCompletion,
  events: chatCompletionChunk,
  async handle(request) {
    const { body, created, server } = request;
    const { model, n, stream, stream_options: streamOptions, logprobs, keep_alive: keepAlive } = body;
    checkItems(body.messages.length, "messages", server.config);
    const choice = server.models.choice(model, keepAlive === undefined ? {} : { keepAlive });
    const asked = generateRequest(body, choice);
    const { ready, events } = await runModel(
      request,
      choice,
      (signal) => withParamNames(server.engine.generate(asked, signal), fieldNames(body)),
      { streaming: stream },
    );
    const fingerprint = fingerprintOf(ready);
    const head = {
      id: newId("chatcmpl-"),
      created,
      model,
      ...(fingerprint && { system_fingerprint: fingerprint }),
    };
    if (!stream) return completion(events, head, { logprobs });
    const sent = chunks(events, head, { n, logprobs, includeUsage: streamOptions?.include_usage });
    return chunkStream(sent, request);
  },
});
