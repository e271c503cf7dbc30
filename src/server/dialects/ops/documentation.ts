import { z } from "zod";
import { openApiDocument } from "../../openapi/document.js";
import { referencePage } from "../../openapi/reference-page.js";
import { route } from "../../route.js";
import { version } from "../../version.js";
import { securePage } from "./page-security.js";

export const openApi = route({
  method: "GET",
  paths: ["/openapi.json"],
  scope: "infer",
  tag: "Documentation",
  summary: "describe every operation as OpenAPI 3.1",
  response: z.looseObject({ openapi: z.string() }).meta({ id: "OpenApiDocument" }),
  handle: async ({ server }) => openApiDocument(server.routes, { version }),
});

export const reference = route({
  method: "GET",
  paths: ["/docs"],
  scope: "infer",
  tag: "Documentation",
  summary: "show the reference of all operations, for people",
  description: "A page of plain HTML, made of `/openapi.json`. It needs no network.",
  response: "text/html",
  async handle({ server, headers }) {
    const document = openApiDocument(server.routes, { version });
    const origin = `http://${headers.get("host") ?? "127.0.0.1"}`;
    return new Response(referencePage(document, { origin }), {
      headers: { ...securePage, "content-type": "text/html; charset=utf-8", "cache-control": "no-cache" },
    });
  },
});
