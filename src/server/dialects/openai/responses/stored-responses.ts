import { HfmsError } from "../../../../core/index.js";
import type { Route, RouteRequest } from "../../../route.js";

const MAX_SHOWN_ID = 100;

/** What the original does with responses that it has stored. */
export const storedResponses: Route[] = [
  missing("GET", "/v1/responses/:id", "get a stored response"),
  missing("GET", "/v1/responses/:id/input_items", "list the input of a stored response"),
  missing("DELETE", "/v1/responses/:id", "delete a stored response"),
  missing("POST", "/v1/responses/:id/cancel", "cancel a response that runs in the background"),
];

function missing(method: Route["method"], path: string, summary: string): Route {
  return {
    method,
    paths: [path],
    scope: "infer",
    summary: `${summary}: there are none`,
    description: "Always 404: nothing is stored.",
    tag: "Responses",
    response: "application/json",
    handle: refuse,
  };
}

async function refuse({ params: { id } }: RouteRequest): Promise<never> {
  throw new HfmsError("unknown_url", `there is no response with the id \`${id.slice(0, MAX_SHOWN_ID)}\``, {
    hint: "nothing is stored here; a response comes as the answer to its own request, and only then",
    param: "id",
  });
}
