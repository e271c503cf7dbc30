import { globSync, readFileSync } from "node:fs";
import path from "node:path";

export const root = path.join(import.meta.dirname, "..");

export interface SourceImport {
  /** The importing file, from the root: src/core/engine.ts. */
  file: string;
  /** The imported file from the root, or the package's specifier. */
  target: string;
  /** `type` costs nothing at run time, `lazy` is an `await import()`. */
  kind: "value" | "type" | "lazy";
}

/** Paths from the root, with forward slashes, sorted. */
export function filesOf(pattern: string): string[] {
  return globSync(pattern, { cwd: root })
    .map((file) => file.replaceAll(path.sep, "/"))
    .sort();
}

export function read(file: string): string {
  return readFileSync(path.join(root, file), "utf8");
}

/** Every import and re-export of a source file, comments left out. */
export function importsOf(file: string): SourceImport[] {
  const code = read(file)
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/^\s*\/\/.*$/gm, "");
  const found: SourceImport[] = [];
  const add = (specifier: string, kind: SourceImport["kind"]) => {
    const relative = specifier.startsWith(".");
    const resolved = path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, ".ts");
    found.push({ file, target: relative ? resolved : specifier, kind });
  };
  for (const [, type, names, specifier] of code.matchAll(STATEMENT)) {
    add(specifier, type || onlyTypes(names ?? "") ? "type" : "value");
  }
  for (const [, asType, specifier] of code.matchAll(EXPRESSION)) add(specifier, asType ? "type" : "lazy");
  return found;
}

/** `import type { A } from "x"`, `export { a, type B } from "x"`, `import "x"`. */
const STATEMENT = /^(?:import|export)\s+(type\s+)?(?:([^;"']*?)\s+from\s+)?"([^"]+)"/gm;
/** `await import("x")`, and `typeof import("x")`, which is only a type. */
const EXPRESSION = /(typeof\s+)?\bimport\(\s*"([^"]+)"\s*\)/g;

function onlyTypes(names: string): boolean {
  const list = /^\{([\s\S]*)\}$/.exec(names.trim())?.[1];
  return list?.split(",").every((name) => name.trim() === "" || name.trim().startsWith("type ")) ?? false;
}

/** Files and packages that loading a file loads with it: its value imports, and theirs. */
export function loadedWith(file: string, imports: ReadonlyMap<string, SourceImport[]>): Set<string> {
  const loaded = new Set<string>();
  const load = (name: string) => {
    if (loaded.has(name)) return;
    loaded.add(name);
    for (const { target, kind } of imports.get(name) ?? []) if (kind === "value") load(target);
  };
  load(file);
  return loaded;
}
