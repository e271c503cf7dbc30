import type { HfmsError } from "../../core/index.js";
import type { Route } from "../route.js";

export const dialectNames = ["openai", "ops"] as const;
export type DialectName = (typeof dialectNames)[number];

/** A family of routes that one kind of client speaks. */
export interface Dialect {
  name: DialectName;
  routes: Route[];
  /** The JSON body of an error, as this dialect's clients expect it. */
  errorBody(error: HfmsError): object;
}
