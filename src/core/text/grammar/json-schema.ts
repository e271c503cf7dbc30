import { HfmsError } from "../../errors.js";
import type { JsonSchema } from "../../requests.js";
import type { Expression } from "./expression.js";
import { anyObject } from "./json-text.js";

/** The JSON texts that a schema allows. Throws invalid_request naming the keyword that can't be enforced. */
export function schemaExpression(schema: JsonSchema): Expression {
  if (typeof schema === "object" && Object.keys(schema).join() === "type" && schema.type === "object")
    return anyObject;
  throw new HfmsError("invalid_request", `/${Object.keys(schema)[0] ?? ""}: not supported`, {
    param: "format",
  });
}
