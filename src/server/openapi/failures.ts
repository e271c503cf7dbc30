import { type ErrorCode, errorTable, HfmsError } from "../../core/index.js";
import { errorBody } from "../dialects/openai/error-body.js";
import type { Route } from "../route.js";
import type { JsonSchema } from "./schemas.js";

export interface OpenApiResponse {
  description: string;
  headers?: Record<string, { description: string; schema: JsonSchema }>;
  content?: Record<string, { schema: JsonSchema }>;
}

/** One HTTP status of the error table: what it means, and which routes can answer with it. */
interface Failure {
  meaning: string;
  of(route: Route): boolean;
}

const everyRoute = () => true;
const withBody = ({ body }: Route) => body !== undefined;
const protectedRoute = ({ scope }: Route) => scope !== "public";
const withModel = ({ body, paths }: Route) => body !== undefined || paths[0].includes(":");

const failures: Record<number, Failure> = {
  400: { meaning: "The request is wrong: `param` names the field.", of: withModel },
  401: { meaning: "The API key is missing or not known.", of: protectedRoute },
  403: {
    meaning: "The key, the calling page or the Hub's rules do not allow it.",
    of: everyRoute,
  },
  404: { meaning: "There is no such model or address.", of: withModel },
  413: { meaning: "The body is too large.", of: withBody },
  415: { meaning: "The body is not JSON.", of: withBody },
  429: { meaning: "Too many requests: try again after `retry-after` seconds.", of: withBody },
  500: { meaning: "Something failed here.", of: everyRoute },
  502: { meaning: "The Hub failed.", of: withModel },
  503: {
    meaning:
      "Not now: a model is being loaded, or too much is under way. Try again after `retry-after` seconds.",
    of: everyRoute,
  },
  504: { meaning: "It took too long.", of: withBody },
};

/** Statuses of failure that a route can answer with. */
export function failuresOf(route: Route): number[] {
  return Object.keys(failures)
    .map(Number)
    .filter((status) => failures[status].of(route));
}

/** Every failure as a response that operations refer to, by status. */
export function failureResponses(): Record<string, OpenApiResponse> {
  return Object.fromEntries(
    Object.entries(failures).map(([status, { meaning }]) => [
      status,
      failureResponse(Number(status), meaning),
    ]),
  );
}

function failureResponse(status: number, meaning: string): OpenApiResponse {
  const codes = codesOf(status).map((code) => `\`${code}\``);
  return {
    description: codes.length > 0 ? `${meaning} \`code\` is ${codes.join(" or ")}.` : meaning,
    ...((status === 429 || status === 503) && {
      headers: {
        "retry-after": { description: "Seconds.", schema: { type: "integer", minimum: 0 } },
        "retry-after-ms": { description: "The same, exactly.", schema: { type: "integer", minimum: 0 } },
      },
    }),
    content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
  };
}

/** Only the start of a server can meet these. */
const startOnly = new Set<ErrorCode>(["invalid_config", "address_unavailable"]);

/** As they stand in the body of an error. */
function codesOf(status: number): string[] {
  const codes = (Object.keys(errorTable) as ErrorCode[]).filter(
    (code) => errorTable[code].status === status && !startOnly.has(code),
  );
  const written = codes.map((code) => errorBody(new HfmsError(code, "")).error.code);
  return [...new Set(written.filter((code) => code !== null))];
}

/** OpenAI's error object: every failure has this body. */
export const errorSchema: JsonSchema = {
  type: "object",
  description: "All four keys are always there.",
  properties: {
    error: {
      type: "object",
      properties: {
        message: { type: "string", description: "What happened, with the value, and what to do." },
        type: { type: "string", examples: ["invalid_request_error", "requests", "server_error"] },
        param: { type: ["string", "null"], description: "The field that is at fault." },
        code: { type: ["string", "null"], description: "A stable word for programs." },
      },
      required: ["message", "type", "param", "code"],
    },
  },
  required: ["error"],
};
