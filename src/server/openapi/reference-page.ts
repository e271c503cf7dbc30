import type { OpenApiDocument, Operation } from "./document.js";
import type { OpenApiResponse } from "./failures.js";
import { type Html, type HtmlValue, html, inline, prose } from "./html.js";
import { schemaTable } from "./schema-table.js";
import { componentName, type JsonSchema } from "./schemas.js";

interface Page {
  origin: string;
  components: Record<string, JsonSchema>;
  /** Where the table of a schema stands: the first operation that sends or answers with it, else the list at the end. */
  home: Map<string, string>;
}

interface Shown {
  method: string;
  path: string;
  operation: Operation;
}

/** The document as one page of plain HTML for people; `origin` is the server's address in the examples. */
export function referencePage(document: OpenApiDocument, { origin }: { origin: string }): string {
  const { info, tags, components } = document;
  const shown = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const sections = tags.map(({ name, description }) => ({
    name,
    description,
    operations: shown.filter(({ operation }) => operation.tags[0] === name),
  }));
  const page: Page = {
    origin,
    components: components.schemas,
    home: homesOf(sections.flatMap(({ operations }) => operations)),
  };
  const schemas = Object.entries(components.schemas)
    .filter(([name]) => !page.home.has(name))
    .sort(([a], [b]) => a.localeCompare(b));
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>API reference: hfms ${info.version}</title>
<link rel="icon" href="/page/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/page/base.css">
<link rel="stylesheet" href="/page/reference.css">
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header class="bar">
<a class="brand" href="/">hfms</a>
<span class="muted">API reference, version ${info.version}</span>
<a class="end" href="/openapi.json">openapi.json</a>
</header>
<div class="columns">
<nav aria-label="Operations">${sections.map(contents)}
<h2><a href="#schemas">Schemas</a></h2>
</nav>
<main id="content" tabindex="-1">
<h1>API reference</h1>
${prose(`${info.summary}.\n\n${info.description}`)}
<h2 id="keys">Keys</h2>
${prose("Where there are API keys, send one as `authorization: Bearer hfms_…`. `hfms keys create` makes them.")}
<h2 id="errors">Errors</h2>
<p>Every error has the body <a href="#schema-Error">Error</a>.</p>
<table class="fields"><thead><tr><th scope="col">Status</th><th scope="col">Meaning</th></tr></thead><tbody>
${Object.entries(components.responses).map(
  ([status, { description }]) => html`<tr><th scope="row">${status}</th><td>${inline(description)}</td></tr>`,
)}
</tbody></table>
${sections.map(
  ({ name, description, operations }) => html`
<section aria-labelledby="tag-${name}"><h2 id="tag-${name}">${name}</h2>
<p>${inline(description)}</p>
${operations.map((one) => article(one, page))}
</section>`,
)}
<section aria-labelledby="schemas"><h2 id="schemas">Schemas</h2>
${schemas.map(
  ([name, schema]) => html`
<article id="schema-${name}"><h3>${name}</h3>
${typeof schema.description === "string" && prose(schema.description)}
${schemaTable(schema)}
</article>`,
)}
</section>
</main>
</div>
</body>
</html>
`.text;
}

function homesOf(operations: Shown[]): Map<string, string> {
  const home = new Map<string, string>();
  for (const { operation } of operations) {
    const { content: answers = {} } = operation.responses[200] as OpenApiResponse;
    for (const { schema } of [operation.requestBody?.content ?? {}, answers].flatMap((types) =>
      Object.values(types),
    )) {
      const name = typeof schema.$ref === "string" ? componentName(schema.$ref) : undefined;
      if (name !== undefined && !home.has(name)) home.set(name, operation.operationId);
    }
  }
  return home;
}

function contents({ name, operations }: { name: string; operations: Shown[] }): Html {
  return html`<h2>${name}</h2><ul>${operations.map(
    ({ method, path, operation }) =>
      html`<li><a href="#${operation.operationId}"><span class="method">${method}</span> ${path}</a></li>`,
  )}</ul>`;
}

function article(one: Shown, page: Page): Html {
  const { method, path, operation } = one;
  const { summary, description, parameters = [], requestBody, security } = operation;
  const here = { ...page, anchor: operation.operationId };
  const success = operation.responses[200] as OpenApiResponse;
  const failures = Object.keys(operation.responses).filter((status) => status !== "200");
  return html`
<article id="${operation.operationId}">
<h3><span class="method">${method}</span> <code>${path}</code></h3>
<p class="lead">${upperFirst(summary)}. <small class="scope">${
    security.length === 0 ? "open to everyone" : html`scope <code>${security[0].key[0]}</code>`
  }</small></p>
${description && prose(description)}
${
  parameters.length > 0 &&
  html`<h4>Parameters</h4><table class="fields"><thead><tr><th scope="col">Name</th><th scope="col">Meaning</th></tr></thead><tbody>${parameters.map(
    (parameter) =>
      html`<tr><th scope="row"><code>${parameter.name}</code> <small>${parameter.in}</small></th><td>${inline(parameter.description)}</td></tr>`,
  )}</tbody></table>`
}
${requestBody && html`<h4>Body</h4>${content(requestBody.content, here, true)}`}
<h4>Answer</h4>
${content(success.content ?? {}, here, false)}
<p>Errors: ${failures.map((status, index) => [index > 0 && ", ", html`<a href="#errors">${status}</a>`])}</p>
<h4>Example</h4>
<pre tabindex="0"><code>${curl(one, page)}</code></pre>
</article>`;
}

function upperFirst(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Each media type with its schema: a table where it stands here, a link where it stands elsewhere. */
function content(
  types: NonNullable<OpenApiResponse["content"]>,
  { home, components, anchor }: Page & { anchor: string },
  open: boolean,
): HtmlValue {
  return Object.entries(types).map(([type, { schema }]) => {
    const name = typeof schema.$ref === "string" ? componentName(schema.$ref) : undefined;
    if (name === undefined) return html`<p><code>${type}</code></p>`;
    if (home.get(name) !== anchor)
      return html`<p><code>${type}</code>: <a href="#schema-${name}">${name}</a></p>`;
    return html`<details id="schema-${name}"${open && html` open`}><summary><code>${type}</code>: ${name}</summary>
${schemaTable(components[name])}</details>`;
  });
}

/** A request that can be pasted into a shell. */
function curl({ method, path, operation }: Shown, { origin }: Page): string {
  const lines = [`curl ${method === "GET" ? "" : `-X ${method} `}${quoted(origin + path)}`];
  if (operation.security.length > 0) lines.push(`-H "authorization: Bearer $HFMS_API_KEY"`);
  const body = operation.requestBody?.content["application/json"];
  if (body) {
    lines.push("-H 'content-type: application/json'");
    lines.push(`-d ${quoted(JSON.stringify(body.example ?? {}, null, 2))}`);
  }
  return lines.join(" \\\n  ");
}

function quoted(text: string): string {
  return /^[\w:/.@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
