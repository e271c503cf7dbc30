import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { HfmsError } from "../../../core/index.js";
import { type RouteRequest, route } from "../../route.js";
import { securePage } from "./page-security.js";

/** A file of the page as it is sent. */
interface PageFile {
  body: Buffer;
  type: string;
  etag: string;
}

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

/**
 * The files lie in `page/` beside dist/ and src/, as the browser gets them: no compiler touches them. They are read
 * once, by the names that the folder has; what a request names is only looked up.
 */
const files = readFiles(fileURLToPath(new URL("../../../../page/", import.meta.url)));

export const page = route({
  method: "GET",
  paths: ["/"],
  scope: "infer",
  tag: "Documentation",
  summary: "show the web page: chat, embed, see models and load",
  response: "text/html",
  async handle(request) {
    if (!request.server.config.page) throw notThere("/");
    return send("index.html", request);
  },
});

export const pageFile = route({
  method: "GET",
  paths: ["/page/:file"],
  scope: "infer",
  tag: "Documentation",
  summary: "send a file that the web page or the reference needs",
  response: "text/plain",
  handle: async (request) => send(request.params.file, request),
});

function readFiles(folder: string): Map<string, PageFile> {
  const names = readdirSync(folder).filter((name) => path.extname(name) in types);
  return new Map(names.map((name) => [name, readPageFile(path.join(folder, name))]));
}

function readPageFile(file: string): PageFile {
  const body = readFileSync(file);
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
  return { body, type: types[path.extname(file)], etag };
}

/** The file, or 304 where the browser has it. */
function send(name: string, { headers }: RouteRequest): Response {
  const file = files.get(name);
  if (!file) throw notThere(`/page/${name.slice(0, 100)}`);
  const { body, type, etag } = file;
  const known = headers
    .get("if-none-match")
    ?.split(",")
    .map((tag) => tag.trim().replace(/^W\//, ""));
  const fresh = known?.includes(etag) ?? false;
  return new Response(fresh ? null : body, {
    status: fresh ? 304 : 200,
    // An update of hfms must reach the browser at once: it asks each time, and mostly hears 304.
    headers: { ...securePage, "content-type": type, "cache-control": "no-cache", etag },
  });
}

function notThere(what: string): HfmsError {
  return new HfmsError("unknown_url", `there is nothing at ${what}`);
}
