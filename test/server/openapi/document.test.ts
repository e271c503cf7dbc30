import { Validator } from "@seriousme/openapi-schema-validator";
import { expect, it } from "vitest";
import { z } from "zod";
import { dialects } from "../../../src/server/dialects/index.js";
import {
  type OpenApiDocument,
  type Operation,
  openApiDocument,
} from "../../../src/server/openapi/document.js";
import type { OpenApiResponse } from "../../../src/server/openapi/failures.js";
import { type Route, route } from "../../../src/server/route.js";

const routes = Object.values(dialects).flatMap((dialect) => dialect.routes);
const document = openApiDocument(routes, { version: "1.2.3" });
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

it("is valid OpenAPI 3.1", async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(JSON.parse(JSON.stringify(document)));
  expect(errors).toBeUndefined();
  expect(valid).toBe(true);
  expect(validator.version).toBe("3.1");
});

it("lists every route under its first path", () => {
  expect(operations.length).toBe(routes.length);
  for (const { method, paths } of routes) {
    const path = paths[0].replace(/(\*\*)?:(\w+)/g, "{$2}");
    expect(document.paths[path]?.[method.toLowerCase()], `${method} ${path}`).toBeDefined();
  }
});

it("names every operation once", () => {
  const ids = operations.map(({ operation }) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^[a-z][A-Za-z0-9]+$/);
});

it("refers only to what is there, and has no component that nothing refers to", () => {
  const references = referencesIn(document);
  for (const reference of references) expect(lookUp(document, reference), reference).toBeDefined();
  const schemas = Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`);
  expect(schemas.filter((schema) => !references.has(schema))).toEqual([]);
});

it("says which key an operation needs", () => {
  for (const { method, paths, scope } of routes) {
    const { security } = operationOf(method, paths[0]);
    expect(security).toEqual(scope === "public" ? [] : [{ key: [scope] }]);
  }
});

it("describes every parameter of a path", () => {
  for (const { path, operation } of operations) {
    const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    const described = (operation.parameters ?? []).filter((one) => one.in === "path").map(({ name }) => name);
    expect(described).toEqual(names);
  }
});

it("answers every body with the errors that bodies can have", () => {
  for (const { operation } of operations.filter(({ operation: { requestBody } }) => requestBody)) {
    const statuses = Object.keys(operation.responses);
    expect(statuses).toEqual(
      expect.arrayContaining(["200", "400", "401", "403", "404", "413", "415", "429", "500", "503"]),
    );
  }
});

it("has an example for every body, and the route takes it", () => {
  for (const { method, paths, body, example } of routes) {
    if (!body) continue;
    expect(example, `${method} ${paths[0]}`).toBeDefined();
    expect(body.safeParse(example).error, `${method} ${paths[0]}`).toBeUndefined();
  }
});

it("shows a stream beside the JSON", () => {
  const { content } = operationOf("POST", "/models/load").responses[200] as OpenApiResponse;
  expect(Object.keys(content!)).toEqual(["application/json", "text/event-stream"]);
  expect(content!["text/event-stream"].schema.$ref).toBe("#/components/schemas/PostModelsLoadEvent");
});

it("names the codes of errors as they stand in the body", () => {
  const { responses } = document.components;
  expect(responses[503].description).toContain("`model_loading`");
  expect(responses[401].description).toContain("`invalid_api_key`");
  expect(responses[400].description).not.toContain("`invalid_request`");
});

it("says so when a route has other paths", () => {
  const more = openApiDocument([{ ...plain, paths: ["/a/**:id", "/b/:id"], description: "Both." }], {
    version: "1",
  });
  expect(more.paths["/a/{id}"].get.description).toBe("Both.\n\nAlso at `/b/{id}`.");
});

it("keeps schemas apart that have one name and differ by direction", () => {
  const part = z.object({ size: z.int().default(3) }).meta({ id: "Part" });
  const both = route({
    ...plain,
    method: "POST",
    paths: ["/parts"],
    body: z.object({ part }),
    response: z.object({ part, again: part }),
  });
  const { schemas } = openApiDocument([both], { version: "1" }).components;
  expect(Object.keys(schemas)).toEqual(
    ["Error", "PostPartsRequest", "Part", "PostPartsResponse", "PartOutput"].sort(byOrder),
  );
  expect(schemas.Part.required).toBeUndefined();
  expect(schemas.PartOutput.required).toEqual(["size"]);
  expect(JSON.stringify(schemas.PostPartsResponse)).toContain("#/components/schemas/PartOutput");
  function byOrder(a: string, b: string): number {
    return Object.keys(schemas).indexOf(a) - Object.keys(schemas).indexOf(b);
  }
});

it("follows schemas that contain themselves", async () => {
  interface Tree {
    kids: Tree[];
  }
  const tree: z.ZodType<Tree> = z.lazy(() => z.object({ kids: z.array(tree) }));
  const made = openApiDocument([route({ ...plain, method: "POST", paths: ["/tree"], body: tree })], {
    version: "1",
  });
  for (const reference of referencesIn(made)) expect(lookUp(made, reference), reference).toBeDefined();
  expect((await new Validator().validate(JSON.parse(JSON.stringify(made)))).valid).toBe(true);
});

const plain: Route = {
  method: "GET",
  paths: ["/plain"],
  scope: "public",
  tag: "Operations",
  summary: "be plain",
  response: z.object({}),
  handle: async () => ({}),
};

function operationOf(method: string, path: string): Operation {
  return document.paths[path.replace(/(\*\*)?:(\w+)/g, "{$2}")][method.toLowerCase()];
}

function referencesIn(value: unknown, found = new Set<string>()): Set<string> {
  if (typeof value !== "object" || value === null) return found;
  for (const [key, item] of Object.entries(value)) {
    if (key === "$ref" && typeof item === "string") found.add(item);
    else referencesIn(item, found);
  }
  return found;
}

function lookUp(root: OpenApiDocument, reference: string): unknown {
  const keys = reference.replace(/^#\//, "").split("/");
  return keys.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], root);
}
