import path from "node:path";
import { describe, expect, it } from "vitest";
import { parseCatalog } from "../skills/generate.js";
import { backends } from "../src/core/hardware/index.js";
import { sources } from "../src/core/hub/index.js";
import { architectures } from "../src/core/models/index.js";
import { weightFormats } from "../src/core/weights/index.js";
import { dialects } from "../src/server/dialects/index.js";
import { filesOf, importsOf, loadedWith, read } from "./source-imports.js";

/**
 * A unit is a folder or file of src/core, or another folder of src. It imports only from lines above its own; a type
 * may also come from its own line, since it is gone at run time.
 */
const layers = [
  ["core/errors", "core/requests", "core/config", "core/tensor"],
  ["core/weights"],
  ["core/skills", "core/hub", "core/hardware", "core/text"],
  ["core/graph"],
  ["core/models", "core/runtime"],
  ["core/scheduler"],
  ["core/dtype"],
  ["core/graph-store"],
  ["core/convert"],
  ["core/int8-cache", "core/export"],
  ["core/model-identity", "core/model-runner"],
  ["core/model-pool"],
  ["core/quality", "core/tasks", "core/pull", "core/inventory", "core/abilities", "core/discover"],
  ["core/host"],
  ["core/engine"],
  ["core/bench"],
  ["core/index", "core/host-main"],
  ["cli", "server"],
  ["commands"],
];

/** Who may import what comes from outside; the rest of src may not. */
const owners: Record<string, RegExp> = {
  koffi: /^src\/core\/runtime\/ort-api\.ts$/,
  "@oclif/core": /^src\/(commands|cli)\//,
  "@inquirer/prompts": /^src\/(commands|cli)\//,
  chalk: /^src\/cli\/style\.ts$/,
  ora: /^src\/cli\/progress\.ts$/,
  h3: /^src\/server\//,
  listhen: /^src\/server\//,
  undici: /^src\/core\/hub\/http\.ts$/,
  "@huggingface/hub": /^src\/core\/hub\//,
  "@bufbuild/protobuf": /^src\/core\/graph\/proto\.ts$/,
  systeminformation: /^src\/core\/hardware\/machine\.ts$/,
};

const sourceFiles = filesOf("src/**/*.ts");
const imports = new Map(sourceFiles.map((file) => [file, importsOf(file)]));
const allImports = [...imports.values()].flat();

describe("an import", () => {
  it("goes down through the layers, never up or sideways", () => {
    const wrong = allImports
      .filter(({ target }) => target.startsWith("src/"))
      .filter(({ file, target, kind }) => {
        const [from, to] = [layerOf(file), layerOf(target)];
        return unitOf(file) !== unitOf(target) && (kind === "type" ? to > from : to >= from);
      });
    expect(wrong).toEqual([]);
  });

  it("leads to a file that exists", () => {
    const missing = allImports.filter(
      ({ target }) => target.startsWith("src/") && !sourceFiles.includes(target),
    );
    expect(missing).toEqual([]);
  });

  it("of the core stops at core/index.ts for the command line", () => {
    const deeper = allImports.filter(
      ({ file, target }) =>
        !file.startsWith("src/core/") && target.startsWith("src/core/") && target !== "src/core/index.ts",
    );
    expect(deeper).toEqual([]);
  });

  it("of a package stands where the package belongs", () => {
    const wrong = allImports.filter(({ file, target }) => {
      const owner = Object.entries(owners).find(([name]) => target === name || target.startsWith(`${name}/`));
      return owner && !owner[1].test(file);
    });
    expect(wrong).toEqual([]);
  });

  it("of a package is listed in package.json", () => {
    const { dependencies } = JSON.parse(read("package.json"));
    const names = allImports
      .map(({ target }) => target)
      .filter((target) => !target.startsWith("src/") && !target.startsWith("node:"))
      .map((target) => target.split("/", target.startsWith("@") ? 2 : 1).join("/"));
    expect(Object.keys(dependencies)).toEqual(expect.arrayContaining([...new Set(names)]));
  });
});

describe("start-up", () => {
  // Everything else is loaded when it is used: the help, `hfms list` and a warm run must not wait for it.
  const light = ["@oclif/core", "chalk", "fastest-levenshtein"];

  it.each(filesOf("src/{commands/**/*,cli/main,core/index}.ts"))("loads no heavy package with %s", (file) => {
    const packages = [...loadedWith(file, imports)].filter((name) => !/^(src\/|node:)/.test(name));
    const heavy = packages.filter((name) => !light.some((allowed) => `${name}/`.startsWith(`${allowed}/`)));
    expect(heavy).toEqual([]);
  });
});

describe("the core", () => {
  const core = sourceFiles.filter((file) => file.startsWith("src/core/"));

  it("has every unit in the layers, and the layers nothing else", () => {
    const units = [...new Set(sourceFiles.map(unitOf))];
    expect(units.sort()).toEqual(layers.flat().sort());
  });

  it("prints nothing, ends nothing and knows no command line", () => {
    // The program of a host is no library.
    const library = core.filter((file) => file !== "src/core/host-main.ts");
    const forbidden = /\bconsole\.|\bprocess\.(argv|exit|exitCode|stdout|stderr|stdin|on|once)\b/;
    expect(library.filter((file) => forbidden.test(read(file)))).toEqual([]);
  });

  it("reads the environment in config.ts only, and nothing else in src does", () => {
    const readers = sourceFiles.filter((file) => /\bprocess\.env\b/.test(withoutComments(read(file))));
    expect(readers).toEqual(["src/core/config.ts"]);
  });
});

describe("the list of an axis is its folder", () => {
  const constant = (type: string) =>
    new RegExp(`^export const \\w+: ${type}\\b|^\\} satisfies ${type}\\b`, "m");

  it.each([
    ["models", architectures, /^export const \w+(: Architecture\b| = (encoder|\w+Architecture)\()/m],
    ["hardware", backends, constant("Backend")],
    ["hub", sources, /^export function \w+\([^)]*\): Source \{/m],
    ["weights", weightFormats, constant("WeightFormat")],
  ])("%s", (folder, list, member) => {
    const files = filesOf(`src/core/${folder}/*.ts`).filter((file) => member.test(read(file)));
    expect(files.map((file) => path.parse(file).name).sort()).toEqual(
      Object.keys(list).map(kebabCase).sort(),
    );
  });

  it("server/dialects", () => {
    const folders = filesOf("src/server/dialects/*/index.ts").map((file) =>
      path.basename(path.dirname(file)),
    );
    expect(folders.sort()).toEqual(Object.keys(dialects).sort());
    for (const [name, dialect] of Object.entries(dialects)) expect(dialect.name).toBe(name);
  });

  it("skills/templates", () => {
    const templates = filesOf("skills/templates/*.jinja").map((file) => path.parse(file).name);
    const used = parseCatalog(read("skills/catalog.tsv")).map(({ template }) => template);
    expect([...new Set(used.filter(Boolean))].sort()).toEqual(templates.sort());
  });

  it("and the name of an architecture is its model_type", async () => {
    for (const [name, load] of Object.entries(architectures)) expect((await load()).modelType).toBe(name);
  });
});

describe("a source file", () => {
  const written = filesOf("{src,page,test,build,bench,skills,bin}/**/*.{ts,js,mjs}").filter(
    (file) => !file.includes("node_modules/"),
  );

  it("has at most 400 lines", () => {
    const long = written.filter((file) => read(file).split("\n").length - 1 > 400);
    expect(long).toEqual([]);
  });

  it("is named for one thing: kebab-case, and no attic of helpers", () => {
    const names = written.map((file) => path.basename(file).replace(/\..*$/, ""));
    expect(names.filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name))).toEqual([]);
    const attics = /^(utils?|helpers?|common|misc|shared|.*-(manager|service|helper|utils?))$/;
    expect(names.filter((name) => attics.test(name))).toEqual([]);
  });

  it("has named exports; oclif's commands and help class are the exception", () => {
    const withDefault = sourceFiles.filter((file) => /^export default/m.test(read(file)));
    expect(withDefault.filter((file) => !/^src\/(commands\/|cli\/help\.ts)/.test(file))).toEqual([]);
  });
});

/** model_type is written with underscores or hyphens. */
function kebabCase(name: string): string {
  return name.replaceAll("_", "-");
}

function unitOf(file: string): string {
  const [, first, second] = file.split("/");
  return first === "core" ? `core/${path.parse(second).name}` : first;
}

function layerOf(file: string): number {
  return layers.findIndex((layer) => layer.includes(unitOf(file)));
}

function withoutComments(code: string): string {
  return code.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");
}
