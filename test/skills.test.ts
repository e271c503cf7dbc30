import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { Parser } from "@oclif/core";
import { describe, expect, it } from "vitest";
import { format, generateSkills, indexOf, parseCatalog } from "../skills/generate.js";
import { architectures } from "../src/core/models/index.js";
import { defaultModels } from "../src/core/skills/registry.js";
import { faultsOf, toJsonSchema } from "../src/core/skills/schema.js";
import type { Skill } from "../src/core/skills/types.js";

const folder = path.join(import.meta.dirname, "../skills");
const catalog = readFileSync(path.join(folder, "catalog.tsv"), "utf8");
const files = readdirSync(folder).filter((file) => /^hf_.*\.json$/.test(file));
const skills = files.map((file) => JSON.parse(readFileSync(path.join(folder, file), "utf8")) as Skill);

/** Names that transformers' docstrings and other lists made up; no such model was ever published. */
const inventedIds =
  /^(google\/distilbert-base-uncased|google\/helium-7b|google\/gemma2-7b|mistralai\/(Qwen2Moe|GptOss).*|Qwen\/Qwen3-MoE-15B-A2B|openai\/alt_roberta.*|Cohere(2|Moe)ForAI\/.*|(?!meta-llama\/)meta-[a-z0-9]+\/[A-Z][a-z0-9]+-2-7b-hf)$/;

describe("the skill files", () => {
  it("are what the catalog and the templates say", () => {
    const generated = generateSkills();
    expect(files.sort(), "run `node skills/generate.ts`").toEqual([...generated.keys()].sort());
    for (const [file, text] of generated) {
      expect(readFileSync(path.join(folder, file), "utf8"), `${file}: run \`node skills/generate.ts\``).toBe(
        text,
      );
    }
    const index = readFileSync(path.join(folder, "index.json"), "utf8");
    expect(index, "run `node skills/generate.ts`").toBe(indexOf(generated));
    const schema = readFileSync(path.join(folder, "skill.schema.json"), "utf8");
    expect(schema, "run `node skills/generate.ts`").toBe(format(toJsonSchema()));
  });

  it("are more than two hundred models, and every native one is of an architecture that hfms builds", () => {
    expect(skills.flatMap(({ models }) => models).length).toBeGreaterThan(200);
    const native = skills.filter((skill) => skill.route === "native");
    for (const { name, modelType } of native) expect(Object.keys(architectures), name).toContain(modelType);
  });

  it.each(skills.map((skill) => [skill.name, skill] as const))("%s is valid and complete", (_, skill) => {
    expect(faultsOf(skill)).toEqual([]);
    expect(skill.name).toMatch(/^hf_[a-z0-9]+(_[a-z0-9]+)*$/);
    expect(files).toContain(`${skill.name}.json`);
    expect(skill.description).not.toMatch(/\.$/);
    for (const model of skill.models) {
      expect(model.parameters ?? Number.POSITIVE_INFINITY, model.id).toBeGreaterThan(1_000_000);
      expect(model.id).not.toMatch(inventedIds);
    }
  });

  it("mean one thing each: no name, alias or Hub id is used twice", () => {
    const names = skills.flatMap((skill) => [
      skill.name,
      ...skill.aliases,
      ...skill.models.flatMap((model) => [model.id, ...(model.aliases ?? [])]),
    ]);
    const seen = new Set<string>();
    const twice = names.filter((name) => seen.size === seen.add(name.toLowerCase()).size);
    expect(twice).toEqual([]);
  });

  it("have the default models among their aliases", () => {
    const aliases = skills.flatMap((skill) => skill.aliases);
    for (const name of Object.values(defaultModels)) expect(aliases).toContain(name);
  });

  const examples = skills.flatMap((skill) => skill.examples.map((example) => [example, skill] as const));
  it.each(examples)("%s is a command that hfms understands", async (example, skill) => {
    const [program, verb, ...argv] = splitWords(example);
    expect(program).toBe("hfms");
    const { default: command } = await import(`../src/commands/${verb}.ts`);
    const { flags, argv: words } = await Parser.parse(argv, {
      args: command.args,
      flags: { ...command.baseFlags, ...command.flags },
      strict: command.strict,
    });
    const model = (flags as { model?: string }).model ?? words[0];
    expect([skill.name, ...skill.aliases]).toContain(model);
    const prompt = (flags as { prompt?: string }).prompt;
    if (prompt !== undefined) expect(Object.keys(skill.models[0].prompts ?? {})).toContain(prompt);
  });
});

describe("the catalog", () => {
  const [header, firstRow] = catalog.split("\n").filter((line) => line && !line.startsWith("#"));

  it("says for every model where it was seen", () => {
    for (const row of parseCatalog(catalog)) {
      expect(row.evidence, row.model).toMatch(
        /^(tjs|mteb|hub-list|link|package|transformers|listing)( (tjs|mteb|hub-list|link|package|transformers|listing))*$/,
      );
    }
  });

  it.each([
    ["the same skill twice", [header, firstRow, firstRow], /catalog\.tsv:3: hf_gpt2 stands there twice/],
    [
      "a model before any skill",
      [header, firstRow.replace(/^\w+/, "")],
      /catalog\.tsv:2: .* belongs to no skill/,
    ],
    ["a row without a model", [header, "hf_x\tbert"], /catalog\.tsv:2: no model/],
    [
      "a row without evidence",
      [header, `hf_x${"\t".repeat(6)}org/name`],
      /catalog\.tsv:2: no evidence for org\/name/,
    ],
    ["too many cells", [header, `${"x\t".repeat(20)}`], /catalog\.tsv:2: .* cells/],
    ["other columns", ["skill\tmodel", firstRow], /the first line after the comments/],
  ])("is refused, with the line, for %s", (_, lines, message) => {
    expect(() => generateSkills(lines.join("\n"))).toThrow(message);
  });

  it("may have Windows' line ends and blank lines", () => {
    expect(generateSkills(catalog.replace(/\n/g, "\r\n\r\n"))).toEqual(generateSkills(catalog));
  });
});

describe("docs/add-a-skill.md", () => {
  const guide = readFileSync(path.join(folder, "../docs/add-a-skill.md"), "utf8");

  it("shows a skill that is valid", () => {
    const [, example] = /```json\s+([\s\S]*?)```/.exec(guide)!;
    expect(faultsOf(JSON.parse(example))).toEqual([]);
  });

  it("names every field and every template", () => {
    const schema = toJsonSchema() as { properties: Record<string, { items?: { properties?: object } }> };
    const templates = readdirSync(path.join(folder, "templates")).map((file) => path.parse(file).name);
    const fields = [
      ...Object.keys(schema.properties),
      ...Object.keys(schema.properties.models.items?.properties ?? {}),
    ];
    for (const word of [...fields, ...templates]) expect(guide).toContain(`\`${word}\``);
  });
});

/** As a shell does it, for words and double quotes. */
function splitWords(command: string): string[] {
  return [...command.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]);
}
