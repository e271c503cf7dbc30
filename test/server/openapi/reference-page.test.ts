import { describe, expect, it } from "vitest";
import { z } from "zod";
import { openApiDocument } from "../../../src/server/openapi/document.js";
import { referencePage } from "../../../src/server/openapi/reference-page.js";
import { type Route, route } from "../../../src/server/route.js";
import { sharedServing } from "../serving.js";

const server = sharedServing();

const plain: Route = {
  method: "GET",
  paths: ["/plain"],
  scope: "public",
  tag: "Operations",
  summary: "be plain",
  response: z.object({}),
  handle: async () => ({}),
};

describe("the reference", () => {
  it("shows every operation of the document, and leads only to what it has", async () => {
    const { routes } = server().running.server.context;
    const page = await (await server().fetch("/docs")).text();
    const document = openApiDocument(routes, { version: "1" });
    for (const methods of Object.values(document.paths))
      for (const { operationId } of Object.values(methods)) expect(page).toContain(`id="${operationId}"`);
    for (const name of Object.keys(document.components.schemas))
      expect(page).toContain(`id="schema-${name}"`);
    const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map((match) => match[1]);
    expect(new Set(ids).size).toBe(ids.length);
    const links = [...page.matchAll(/href="#([^"]+)"/g)].map((match) => match[1]);
    expect(links.filter((link) => !ids.includes(link))).toEqual([]);
  });

  it("runs no script, and names the address under which it was asked for", async () => {
    const response = await server().fetch("/docs");
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    const page = await response.text();
    expect(page).not.toContain("<script");
    expect(page).toContain(`curl -X POST ${server().url}/v1/chat/completions`);
  });

  it("has the document beside it", async () => {
    const document = await (await server().fetch("/openapi.json")).json();
    expect(document).toMatchObject({ openapi: "3.1.1", info: { title: "hfms" } });
  });
});

describe("an operation", () => {
  const page = pageOf(
    route({
      ...plain,
      method: "POST",
      paths: ["/things/:id"],
      scope: "infer",
      example: { name: "Ann's", parts: [], either: { type: "round", radius: 1 } },
      summary: "make <things>",
      description: "With `code` & more.",
      body: z
        .object({
          name: z.string().min(1).max(20),
          kind: z.enum(["a", "b"]).default("a"),
          share: z.number().min(0).max(1).nullish(),
          parts: z.array(z.object({ size: z.int().min(1) })).max(4),
          either: z.union([
            z.object({ type: z.literal("round"), radius: z.number() }),
            z.object({ type: z.literal("square"), side: z.number() }),
          ]),
          old: z.unknown().optional().describe("Not supported: leave it out."),
        })
        .meta({ id: "Thing" }),
    }),
  );

  it("has its fields with types, limits and defaults", () => {
    expect(textOf(page)).toContain("name required string 1 to 20 characters");
    expect(textOf(page)).toContain('kind "a" or "b" default "a"');
    expect(textOf(page)).toContain("share number 0 to 1");
    expect(textOf(page)).toContain("parts required list of object at most 4 items");
    expect(textOf(page)).toContain('either required object type "round"');
    expect(textOf(page)).toContain('type "square" Field');
    expect(textOf(page)).toContain("size required integer at least 1");
  });

  it("has the fields that are refused apart", () => {
    expect(textOf(page)).toContain("Fields that are refused (1)");
    expect(textOf(page)).toContain("old : leave it out.");
  });

  it("says who may call it", () => {
    expect(textOf(page)).toContain("scope infer");
    expect(textOf(pageOf(plain))).toContain("open to everyone");
  });

  it("has its example as a command for a shell", () => {
    const json = /-d '(\{[\s\S]*?\n\})'/.exec(unescaped(page))![1];
    expect(JSON.parse(json.replaceAll("'\\''", "'"))).toMatchObject({ name: "Ann's", parts: [] });
  });

  it("is text, whatever it says", () => {
    expect(page).toContain("Make &lt;things&gt;");
    expect(page).toContain("<code>code</code> &amp; more.");
  });
});

it("can't be given markup through the host header", () => {
  const page = referencePage(openApiDocument([plain], { version: "1" }), { origin: "http://<script>'" });
  expect(page).not.toContain("<script");
});

function pageOf(one: Route): string {
  return referencePage(openApiDocument([one], { version: "1" }), { origin: "http://127.0.0.1:8000" });
}

function textOf(page: string): string {
  return unescaped(page.replace(/<[^>]*>/g, " ")).replace(/\s+/g, " ");
}

function unescaped(text: string): string {
  const signs: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name: string) => signs[name]);
}
