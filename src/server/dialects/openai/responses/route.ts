import { eventStream } from "../../../event-stream.js";
import { explained } from "../../../failure.js";
import { runModel } from "../../../model-run.js";
import { route } from "../../../route.js";
import { withParamNames } from "../param-names.js";
import { checkItems } from "../text-input.js";
import { newResponse } from "./response.js";
import { responseEvent, responseObject } from "./response-schemas.js";
import { responseRequest } from "./schemas.js";
import { ResponseStream, wholeResponse } from "./stream.js";
import { fieldNames, generateRequest } from "./translate.js";

export const createResponse = route({
  method: "POST",
  paths: ["/v1/responses"],
  scope: "infer",
  summary: "answer text, messages and results of tools with output items",
  example: { model: "smollm2", input: "Why is the sky blue?" },
  description:
    "OpenAI's Responses API without a memory: nothing is stored, so each request brings the whole conversation.",
  tag: "Responses",
  body: responseRequest,
  response: responseObject,
  events: responseEvent,
  async handle(request) {
    const { body, server, signal } = request;
    const { model, input, stream: streaming, keep_alive: keepAlive } = body;
    if (typeof input !== "string") checkItems(input.length, "input", server.config);
    const choice = server.models.choice(model, keepAlive === undefined ? {} : { keepAlive });
    const asked = generateRequest(body, choice);
    const { events } = await runModel(
      request,
      choice,
      (stop) => withParamNames(server.engine.generate(asked, stop), fieldNames),
      { streaming },
    );
    const response = newResponse(body, request.created);
    if (!streaming) return wholeResponse(response, events);
    const stream = new ResponseStream(response, events);
    return eventStream(
      stream.events((thrown) => explained(thrown, signal)),
      request,
      { error: (error) => stream.error(error) },
    );
  },
});
