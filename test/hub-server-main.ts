import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import type { ServedRepository } from "./hub-server.js";

// Node strips types but does not look for the .ts behind a .js; the compiler wants the .js. A computed address suits both.
const { startHubServer } = (await import(
  new URL("./hub-server.ts", import.meta.url).href
)) as typeof import("./hub-server.js");

/*
 * A Hub on this machine for trying things by hand, with a current Node:
 *
 *   node test/hub-server-main.ts --port 8090 org/name=path/to/folder …
 *   HF_ENDPOINT=http://127.0.0.1:8090 hfms pull org/name
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    port: { type: "string", default: "8090" },
    gated: { type: "boolean", default: false },
    token: { type: "string" },
  },
});
const repositories = positionals.map((pair): ServedRepository => {
  const [id, folder] = pair.split("=");
  if (!id || !folder || !existsSync(folder)) throw new Error(`"${pair}" is not org/name=folder`);
  return { id, files: folder, gated: values.gated ? "auto" : false };
});
const tokens: Record<string, true> = values.token ? { [values.token]: true } : {};
const server = await startHubServer({ port: Number(values.port), repositories, tokens });
process.stdout.write(`HF_ENDPOINT=${server.url}\n`);
