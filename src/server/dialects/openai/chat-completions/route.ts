import { HfmsError } from "../../../../core/index.js";
import { eventStream, type StreamEvent } from "../../../event-stream.js";
import { runModel } from "../../../model-run.js";
import { route } from "../../../route.js";
import { fingerprintOf, newId } from "../answers.js";
import { errorBody } from "../error-body.js";
import { withParamNames } from "../param-names.js";
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
    checkLength(body.messages.length, server.config.maxItems);
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
    return eventStream(data(sent), request, {
      last: "[DONE]",
      error: (error) => ({ data: errorBody(error) }),
    });
  },
});

function checkLength(count: number, most: number): void {
  if (count <= most) return;
  throw new HfmsError("invalid_request", `there are ${count} messages; this server takes ${most} at once`, {
    param: "messages",
  });
}

async function* data(chunks: AsyncIterable<object>): AsyncGenerator<StreamEvent> {
  for await (const chunk of chunks) yield { data: chunk };
}
