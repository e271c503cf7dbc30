import type { Route } from "../route.js";
import { errorSchema, failureResponses, failuresOf, type OpenApiResponse } from "./failures.js";
import { type ComponentSchemas, componentSchemas, type JsonSchema } from "./schemas.js";

/** An OpenAPI 3.1 document, as far as this server writes one. */
export interface OpenApiDocument {
  openapi: "3.1.1";
  info: { title: string; version: string; summary: string; description: string; license: object };
  servers: { url: string }[];
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: {
    schemas: Record<string, JsonSchema>;
    responses: Record<string, OpenApiResponse>;
    securitySchemes: Record<string, object>;
  };
}

export interface Operation {
  operationId: string;
  tags: [Route["tag"]];
  summary: string;
  description?: string;
  /** Empty where anyone may call; else the scope that the key must have, as a role of the scheme. */
  security: { key: string[] }[];
  parameters?: Parameter[];
  requestBody?: { required: true; content: Record<string, { schema: JsonSchema; example?: object }> };
  /** By status; those of failures are references. */
  responses: Record<string, OpenApiResponse | { $ref: string }>;
}

export interface Parameter {
  name: string;
  in: "path" | "query";
  required: boolean;
  description: string;
  schema: JsonSchema;
}

const tags: Record<Route["tag"], string> = {
  Chat: "Conversations with a model, in OpenAI's form.",
  Text: "Texts that a model continues, and their tokens.",
  Responses: "Conversations in OpenAI's newer form.",
  Vectors: "What models say about texts: vectors, labels, ranks.",
  Models: "What can be named as `model`, and what is in memory.",
  Operations: "How the server and its machine are.",
  Documentation: "This description, and pages for people.",
};

const DESCRIPTION = `Any skill, alias or model of the Hub is a \`model\`; it is loaded on first use.

Unknown fields of a request are ignored. Fields that are known but not supported are refused by name. \`null\` means absent.

Every response has the header \`x-request-id\`. As long as there is no API key, every route is open.`;

/**
 * What routes say of themselves as an OpenAPI document (spec.openapis.org/oas/v3.1.1), with schemas of JSON Schema
 * 2020-12. A route is listed under its first path; its description names the others.
 */
export function openApiDocument(routes: Route[], { version }: { version: string }): OpenApiDocument {
  const schemas = componentSchemas({ Error: errorSchema });
  const paths: OpenApiDocument["paths"] = {};
  for (const route of routes) {
    const path = documentedPath(route.paths[0]);
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = operationOf(route, schemas);
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "hfms",
      version,
      summary: "Hugging Face models on this machine, behind OpenAI's API",
      description: DESCRIPTION,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    tags: Object.entries(tags)
      .filter(([name]) => routes.some(({ tag }) => tag === name))
      .map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: schemas.components,
      responses: failureResponses(),
      securitySchemes: {
        key: {
          type: "http",
          scheme: "bearer",
          description:
            "A key of `hfms keys create`. Its scopes are roles: `infer` runs models, `admin` does everything.",
        },
      },
    },
  };
}

/** `/v1/models/**:id` of the router is `/v1/models/{id}` here. */
function documentedPath(path: string): string {
  return path.replace(/(\*\*)?:(\w+)/g, "{$2}");
}

function operationOf(route: Route, schemas: ComponentSchemas): Operation {
  const { method, paths, scope, tag, summary, body, example } = route;
  const operationId = operationIdOf(method, paths[0]);
  const parameters = [...pathParameters(paths[0]), ...queryParameters(route.query)];
  const description = descriptionOf(route);
  const failures = failuresOf(route).map((status) => [status, { $ref: `#/components/responses/${status}` }]);
  return {
    operationId,
    tags: [tag],
    summary,
    ...(description && { description }),
    security: scope === "public" ? [] : [{ key: [scope] }],
    ...(parameters.length > 0 && { parameters }),
    ...(body && {
      requestBody: {
        required: true,
        content: {
          "application/json": {
            schema: schemas.refer(body, `${upperFirst(operationId)}Request`, "input"),
            ...(example && { example }),
          },
        },
      },
    }),
    responses: { 200: success(route, operationId, schemas), ...Object.fromEntries(failures) },
  };
}

/** `postV1ChatCompletions`: unique, and a name in every language. */
function operationIdOf(method: string, path: string): string {
  const words = documentedPath(path).split(/[^A-Za-z0-9]+/);
  return method.toLowerCase() + words.map(upperFirst).join("");
}

function upperFirst(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}

function descriptionOf({ description, paths }: Route): string {
  const others = paths.slice(1).map((path) => `\`${documentedPath(path)}\``);
  return [description, others.length > 0 && `Also at ${others.join(", ")}.`].filter(Boolean).join("\n\n");
}

function pathParameters(path: string): Parameter[] {
  return [...path.matchAll(/(\*\*)?:(\w+)/g)].map(([, rest, name]) => ({
    name,
    in: "path",
    required: true,
    description: rest ? "Slashes may be written as they are or as `%2F`." : "One segment.",
    schema: { type: "string" },
  }));
}

function queryParameters(query: Route["query"] = {}): Parameter[] {
  return Object.entries(query).map(([name, description]) => ({
    name,
    in: "query",
    required: false,
    description,
    schema: { type: "string" },
  }));
}

function success(route: Route, operationId: string, schemas: ComponentSchemas): OpenApiResponse {
  const name = upperFirst(operationId);
  const { response, events } = route;
  const content: OpenApiResponse["content"] =
    typeof response === "string"
      ? { [response]: { schema: { type: "string" } } }
      : { "application/json": { schema: schemas.refer(response, `${name}Response`, "output") } };
  // OpenAPI 3.1 has no words for the items of a stream: the schema is that of one event's data.
  if (events) content["text/event-stream"] = { schema: schemas.refer(events, `${name}Event`, "output") };
  return {
    description: events
      ? "The answer; or, as a stream, server-sent events with this JSON as the data of each."
      : "The answer.",
    content,
  };
}
