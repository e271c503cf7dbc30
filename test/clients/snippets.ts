import { readFileSync } from "node:fs";
import path from "node:path";
import type { Served } from "./servers.ts";

const page = path.resolve(import.meta.dirname, "../../docs/api.md");

/** The program of docs/api.md that imports a package, with this server and these models in it. */
export function snippet(language: "js" | "py", specifier: string, served: Served): string {
  const blocks = readFileSync(page, "utf8").matchAll(/^```(js|py)\n([\s\S]*?)^```/gm);
  const found = [...blocks].find(([, tag, code]) => tag === language && imports(code, specifier));
  if (!found) throw new Error(`docs/api.md has no program that imports ${specifier}`);
  return found[2]
    .replaceAll("http://127.0.0.1:8000/v1", served.HFMS_BASE_URL)
    .replaceAll("smollm2", served.HFMS_CHAT_MODEL)
    .replaceAll("minilm", served.HFMS_EMBED_MODEL);
}

/** `from "openai"` of JavaScript, `from openai import` and `import litellm` of Python. */
function imports(code: string, specifier: string): boolean {
  return [`from "${specifier}";\n`, `from ${specifier} import `, `import ${specifier}\n`].some((text) =>
    code.includes(text),
  );
}
