import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { distance } from "fastest-levenshtein";
import { HfmsError } from "../errors.js";
import type { Skill, SkillModel } from "./types.js";

/** The model of `run` and `chat`, and that of `embed`, when none is named. Both also come from packages. */
export const defaultModels = { generate: "smollm2", embed: "minilm" } as const;

/** Skill files that ship with hfms: the same place seen from src/core/skills and dist/core/skills. */
export const packagedSkillsDir = path.join(import.meta.dirname, "../../../skills");

export interface SkillChoice {
  skill: Skill;
  model: SkillModel;
}

/** Every skill this process knows, and what their names mean. Immutable; opening it executes nothing but JSON.parse. */
export interface Registry {
  /** Sorted by name. */
  readonly skills: readonly Skill[];
  /** By skill name, alias, model alias or Hub id that a skill lists, whatever the case. */
  resolve(name: string): SkillChoice | undefined;
  /** The names and aliases that are closest to a mistyped one, best first; only plausible ones. */
  nearest(name: string, count?: number): string[];
}

/**
 * Reads the packaged skills, then those of `skillsDirs` (config.skillsDir): a user's skill replaces one of the same name,
 * and its aliases win. Packaged files are checked by tests; a user's file that is not right is an error that names the
 * file and the field.
 */
export async function openRegistry(skillsDirs: readonly string[] = []): Promise<Registry> {
  const skills = new Map<string, Skill>();
  for (const skill of readPackaged()) skills.set(skill.name, skill);
  const own = new Set<string>();
  for (const dir of skillsDirs) {
    for (const skill of await readUserSkills(dir)) {
      skills.set(skill.name, skill);
      own.add(skill.name);
    }
  }
  return createRegistry([...skills.values()], own);
}

/** All other names of a model: those of its skill when it is the default, then its own. */
export function aliasesOf({ skill, model }: SkillChoice): string[] {
  const ofSkill = skill.models[0].id === model.id ? [skill.name, ...skill.aliases] : [];
  return [...ofSkill, ...(model.aliases ?? [])];
}

/** index.json holds what the packaged files say, sorted by name. */
function readPackaged(): Skill[] {
  const [{ file, text }] = readFolder(packagedSkillsDir, ["index.json"]);
  return parseJson(text, path.join(packagedSkillsDir, file)) as Skill[];
}

async function readUserSkills(dir: string): Promise<Skill[]> {
  const files = readFolder(dir, (file) => file.endsWith(".json") && file !== "skill.schema.json");
  if (files.length === 0) return [];
  const { faultsOf } = await import("./schema.js");
  return files.map(({ file, text }) => {
    const where = path.join(dir, file);
    const data = parseJson(text, where);
    const faults = faultsOf(data);
    if (faults.length > 0) {
      throw new HfmsError("invalid_request", `${where} is not a skill: ${faults.join("; ")}`, {
        hint: "see docs/add-a-skill.md for the format",
      });
    }
    const skill = data as Skill;
    if (`${skill.name}.json` !== file) {
      throw new HfmsError("invalid_request", `${where} is not a skill: name: it says "${skill.name}"`, {
        hint: `rename the file to ${skill.name}.json`,
      });
    }
    return skill;
  });
}

/** In one go: hundreds of asynchronous reads of a small file each take longer than the files themselves. */
function readFolder(
  dir: string,
  wanted: readonly string[] | ((file: string) => boolean),
): { file: string; text: string }[] {
  try {
    const files = typeof wanted === "function" ? readdirSync(dir).filter(wanted).sort() : wanted;
    return files.map((file) => ({ file, text: readFileSync(path.join(dir, file), "utf8") }));
  } catch (error) {
    throw new HfmsError("file_error", `can't read the skills in ${dir}`, {
      hint:
        dir === packagedSkillsDir
          ? "the installation is incomplete: install hfms again"
          : "HFMS_SKILLS must name a folder of skill files",
      cause: error,
    });
  }
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new HfmsError("invalid_request", `${where} is not JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function createRegistry(unsorted: Skill[], own: ReadonlySet<string>): Registry {
  const skills = unsorted.sort((a, b) => (a.name < b.name ? -1 : 1));
  let names: Map<string, SkillChoice> | undefined;
  return {
    skills,
    resolve(name) {
      names ??= indexNames(skills, own);
      return names.get(name.trim().toLowerCase());
    },
    nearest(name, count = 3) {
      names ??= indexNames(skills, own);
      return nearestNames(name.trim().toLowerCase(), names, count);
    },
  };
}

/**
 * What each name means. Where two skills want the same one, a skill's name beats aliases, aliases beat Hub ids, a user's
 * skill beats a packaged one, and the first in order wins the rest (a test keeps packaged names apart).
 */
function indexNames(skills: readonly Skill[], own: ReadonlySet<string>): Map<string, SkillChoice> {
  const names = new Map<string, SkillChoice>();
  const add = (name: string, choice: SkillChoice) => {
    const key = name.toLowerCase();
    if (!names.has(key)) names.set(key, choice);
  };
  const ordered = [...skills].sort((a, b) => Number(own.has(b.name)) - Number(own.has(a.name)));
  for (const skill of ordered) add(skill.name, { skill, model: skill.models[0] });
  for (const skill of ordered) {
    for (const alias of skill.aliases) add(alias, { skill, model: skill.models[0] });
    for (const model of skill.models) for (const alias of model.aliases ?? []) add(alias, { skill, model });
  }
  for (const skill of ordered) for (const model of skill.models) add(model.id, { skill, model });
  return names;
}

/** A third of the letters may be wrong (`smolm2`, `hf_gtp2`), or the name may be the beginning of one or one's last word. */
function nearestNames(typed: string, names: Map<string, SkillChoice>, count: number): string[] {
  const allowed = Math.max(1, Math.floor(typed.length / 3));
  const found: { name: string; steps: number; choice: SkillChoice }[] = [];
  for (const [name, choice] of names) {
    // A Hub id is only suggested to somebody who typed one.
    if (name.includes("/") !== typed.includes("/")) continue;
    const begins = typed.length > 2 && name.startsWith(typed);
    const steps = begins ? 0.5 : Math.min(stepsBetween(typed, name), 1 + stepsBetween(`hf_${typed}`, name));
    if (steps > 0 && steps <= allowed) {
      found.push({ name: name.includes("/") ? choice.model.id : name, steps, choice });
    }
  }
  found.sort((a, b) => a.steps - b.steps || a.name.length - b.name.length || (a.name < b.name ? -1 : 1));
  const suggestions: string[] = [];
  const meant = new Set<string>();
  for (const { name, choice } of found) {
    // hf_gpt2 and gpt2 are one suggestion.
    if (meant.has(choice.model.id)) continue;
    meant.add(choice.model.id);
    suggestions.push(name);
    if (suggestions.length === count) break;
  }
  return suggestions;
}

/** Letters to change; two that changed places count as one (`gtp2`). */
function stepsBetween(typed: string, name: string): number {
  const steps = distance(typed, name);
  const sorted = (text: string) => [...text].sort().join("");
  return steps > 1 && typed.length === name.length && sorted(typed) === sorted(name) ? steps - 1 : steps;
}
