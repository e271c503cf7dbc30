import { z } from "zod";
import { HfmsError } from "../errors.js";

/** A size in config.json: a whole number that a graph can have. */
export const count = z.int().positive().max(100_000_000);

/** Positions have a row each in the tables of a graph. */
export const positions = z.int().positive().max(4_000_000);

/** Checks a config.json against an architecture's schema; the first wrong field is named. */
export function parseWith<S extends z.ZodType>(schema: S, config: Record<string, unknown>): z.infer<S> {
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue.path.join(".");
  const value = issue.path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
    config,
  );
  throw new HfmsError(
    "unsupported_model",
    `config.json: ${field} is ${JSON.stringify(value)}: ${issue.message}`,
    {
      hint: "the file is damaged, or the model is a variant that hfms does not know",
      param: field,
    },
  );
}
