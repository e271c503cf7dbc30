import { z } from "zod";
import { HfmsError } from "../errors.js";

/** A size in config.json: a whole number that a graph can have. */
export const count = z.int().positive().max(100_000_000);

/** Positions have a row each in the tables of a graph. */
export const positions = z.int().positive().max(4_000_000);

/** The deepest published models have some two hundred layers; a graph has nodes for each of them, and of their experts. */
const MAX_LAYERS = 2000;
const layerCount =
  /^((n|num|num_hidden|num_decoder|num_encoder|encoder|decoder)_layers?|num_(local_)?experts|num_feedforward_networks)$/;

/** Checks a config.json against an architecture's schema; the first wrong field is named. */
export function parseWith<S extends z.ZodType>(schema: S, config: Record<string, unknown>): z.infer<S> {
  for (const [field, value] of Object.entries(config)) {
    if (layerCount.test(field) && typeof value === "number" && value > MAX_LAYERS) {
      throw wrongField(field, value, `the limit is ${MAX_LAYERS}`);
    }
  }
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue.path.join(".");
  const value = issue.path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
    config,
  );
  throw wrongField(field, value, issue.message);
}

/** A field that no graph can be built from. */
function wrongField(field: string, value: unknown, what: string): HfmsError {
  return new HfmsError("unsupported_model", `config.json: ${field} is ${shown(value)}: ${what}`, {
    hint: "the file is damaged, or the model is a variant that hfms does not know",
    param: field,
  });
}

/** A value as JSON, cut where it would fill the screen. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "missing";
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
