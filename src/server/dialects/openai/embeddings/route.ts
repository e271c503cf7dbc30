import { runModel } from "../../../model-run.js";
import { route } from "../../../route.js";
import { withParamNames } from "../param-names.js";
import { checkItems, itemsOf } from "../text-input.js";
import { embeddingRequest, embeddingResponse } from "./schemas.js";
import { embeddingResponseOf, embedRequest, fieldNames } from "./translate.js";

export const embeddings = route({
  method: "POST",
  paths: ["/v1/embeddings"],
  scope: "infer",
  tag: "Vectors",
  summary: "turn texts into vectors",
  example: { model: "minilm", input: ["It leaves at nine.", "It is blue."] },
  body: embeddingRequest,
  response: embeddingResponse,
  async handle(request) {
    const { body, server } = request;
    checkItems(itemsOf(body.input).length, "input", server.config);
    const choice = server.models.choice(body.model, { keepAlive: body.keep_alive });
    const asked = embedRequest(body, choice);
    const { events } = await runModel(request, choice, (signal) =>
      withParamNames(server.engine.embed(asked, signal), fieldNames),
    );
    return embeddingResponseOf(events, body);
  },
});
