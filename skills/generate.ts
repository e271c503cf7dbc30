/**
 * Writes skills/hf_*.json, index.json and skill.schema.json from catalog.tsv and templates/: `node skills/generate.ts`.
 * With --check it writes nothing and exits 1 when a file is not what the catalog says. Needs Node ≥ 24 (or 22.18).
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
import path from "node:path";
import process from "node:process";
import { Template } from "@huggingface/jinja";
import type { Skill, SkillModel } from "../src/core/skills/types.js";

const folder = import.meta.dirname;
const LINE_WIDTH = 110;

const columns = [
  "skill",
  "model_type",
  "template",
  "aliases",
  "title",
  "license",
  "model",
  "model_aliases",
  "parameters",
  "extra",
  "evidence",
  "description",
  "notes",
  "example",
] as const;
type Row = Record<(typeof columns)[number], string> & { line: number };

/** The files that the catalog means, by name. Throws with the line of the catalog that is at fault. */
export function generateSkills(
  catalog: string = readFileSync(path.join(folder, "catalog.tsv"), "utf8"),
): Map<string, string> {
  const files = new Map<string, string>();
  for (const rows of groupBySkill(parseCatalog(catalog))) {
    const file = `${rows[0].skill}.json`;
    if (files.has(file)) throw new Error(`catalog.tsv:${rows[0].line}: ${rows[0].skill} stands there twice`);
    files.set(file, format(toSkill(rows)));
  }
  return files;
}

/** Rows of the catalog; `#` begins a comment line, and the first other line names the columns. */
export function parseCatalog(text: string): Row[] {
  const lines = text
    .split(/\r?\n/)
    .map((content, index) => ({ content, line: index + 1 }))
    .filter(({ content }) => content.trim() !== "" && !content.startsWith("#"));
  const header = lines.shift();
  if (header?.content.trimEnd() !== columns.join("\t")) {
    throw new Error(
      `catalog.tsv: the first line after the comments must be the columns ${columns.join(", ")}`,
    );
  }
  return lines.map(({ content, line }) => {
    const cells = content.split("\t").map((cell) => cell.trim());
    if (cells.length > columns.length) {
      throw new Error(`catalog.tsv:${line}: ${cells.length} cells, but there are ${columns.length} columns`);
    }
    const row = Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? ""]));
    return { ...(row as Omit<Row, "line">), line };
  });
}

function groupBySkill(rows: Row[]): Row[][] {
  const skills: Row[][] = [];
  for (const row of rows) {
    if (!row.model) throw new Error(`catalog.tsv:${row.line}: no model`);
    if (!row.evidence) throw new Error(`catalog.tsv:${row.line}: no evidence for ${row.model}`);
    if (row.skill) skills.push([row]);
    else if (skills.length > 0) skills[skills.length - 1].push(row);
    else throw new Error(`catalog.tsv:${row.line}: ${row.model} belongs to no skill`);
  }
  return skills;
}

function toSkill(rows: Row[]): Skill {
  const [row] = rows;
  const models = rows.map(toModel);
  const aliases = words(row.aliases);
  const [, flags, example] = /^((?:--\S+ \S+ )*)(.*)$/.exec(row.example) as RegExpExecArray;
  const family = render(row, {
    call: aliases[0] ?? row.skill,
    flags,
    example,
    prompts: models[0].prompts,
  });
  // The order of the keys is the order in the file.
  return {
    name: row.skill,
    title: row.title,
    description: row.description,
    aliases,
    tasks: family.tasks,
    modelType: row.model_type,
    route: family.route,
    modalities: family.modalities,
    hardware: family.hardware,
    license: row.license || undefined,
    options: family.options,
    notes: row.notes || undefined,
    models,
    examples: family.examples,
  };
}

function toModel(row: Row): SkillModel {
  const extra = row.extra ? JSON.parse(row.extra) : {};
  const aliases = words(row.model_aliases);
  return {
    id: row.model,
    aliases: aliases.length > 0 ? aliases : undefined,
    parameters: row.parameters ? Number(row.parameters) : undefined,
    ...extra,
  };
}

/** What all skills of a task family share, and how they are called. */
function render(
  row: Row,
  values: { call: string; flags: string; example: string; prompts?: Record<string, string> },
): Pick<Skill, "tasks" | "route" | "modalities" | "hardware" | "options" | "examples"> {
  const source = readFileSync(path.join(folder, "templates", `${row.template}.jinja`), "utf8");
  const text = new Template(source).render(values);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`templates/${row.template}.jinja did not give JSON for ${row.skill}:\n${text}`, {
      cause: error,
    });
  }
}

/** All skills in one file, one a line: opening two hundred files takes a start ten times as long as opening one. */
export function indexOf(files: ReadonlyMap<string, string>): string {
  const skills = [...files.keys()]
    .sort()
    .map((file) => JSON.stringify(JSON.parse(files.get(file) as string)));
  return `[\n${skills.join(",\n")}\n]\n`;
}

function words(cell: string): string[] {
  return cell.split(/\s+/).filter((word) => word !== "");
}

/** JSON with one top-level key a line; what is too long for a line is broken further. */
export function format(value: unknown): string {
  return `${pretty(JSON.parse(JSON.stringify(value)), "", 0)}\n`;
}

function pretty(value: unknown, indent: string, taken: number): string {
  const flat = oneLine(value);
  const isContainer = typeof value === "object" && value !== null;
  if (!isContainer || (indent !== "" && indent.length + taken + flat.length < LINE_WIDTH)) return flat;
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const items = value.map((item) => `${deeper}${pretty(item, deeper, 0)}`);
    return `[\n${items.join(",\n")}\n${indent}]`;
  }
  const entries = Object.entries(value).map(([key, item]) => {
    const name = `${JSON.stringify(key)}: `;
    return `${deeper}${name}${pretty(item, deeper, name.length)}`;
  });
  return `{\n${entries.join(",\n")}\n${indent}}`;
}

function oneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(oneLine).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${oneLine(item)}`);
    return entries.length > 0 ? `{ ${entries.join(", ")} }` : "{}";
  }
  return JSON.stringify(value);
}

async function main(): Promise<void> {
  // The sources name each other .js, as the compiler wants it; run from source, they are still .ts.
  registerHooks({
    resolve: (name, context, next) =>
      next(context.parentURL?.endsWith(".ts") ? name.replace(/^(\..*)\.js$/, "$1.ts") : name, context),
  });
  const { faultsOf, toJsonSchema } = await import("../src/core/skills/schema.js");
  const files = generateSkills();
  for (const [file, text] of files) {
    const faults = faultsOf(JSON.parse(text));
    if (faults.length > 0) throw new Error(`${file}:\n  ${faults.join("\n  ")}`);
  }
  const count = files.size;
  files.set("index.json", indexOf(files));
  files.set("skill.schema.json", format(toJsonSchema()));

  const present = readdirSync(folder).filter((file) => file.endsWith(".json"));
  const stale = present.filter((file) => !files.has(file));
  const changed = [...files].filter(
    ([file, text]) => !present.includes(file) || readFileSync(path.join(folder, file), "utf8") !== text,
  );
  const report = [
    ...stale.map((file) => `${file} is not in the catalog`),
    ...changed.map(([file]) => `${file} differs`),
  ];
  if (process.argv.includes("--check")) {
    if (report.length === 0) return;
    process.stderr.write(`${report.join("\n")}\nrun \`node skills/generate.ts\`\n`);
    process.exitCode = 1;
    return;
  }
  for (const file of stale) rmSync(path.join(folder, file));
  for (const [file, text] of changed) writeFileSync(path.join(folder, file), text);
  process.stdout.write(`${count} skills, ${changed.length + stale.length} files changed\n`);
}

if (import.meta.main) await main();
