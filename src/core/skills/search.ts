import { HfmsError } from "../errors.js";
import type { DiscoverQuery } from "../requests.js";
import { parseTask, synonymsOf } from "./pipeline-tags.js";
import type { Registry } from "./registry.js";
import type { DiscoveredSkill, Skill } from "./types.js";

/** What the machine says to a skill; the engine knows, this folder does not. */
export type Assessment = Pick<DiscoveredSkill, "runnable" | "memory" | "fits">;

/** How much more it counts that a skill is called what was typed. */
const NAMED = 10;

/**
 * Skills that match every part of the query: best text match first, by name without a text. Words may be mistyped or
 * unfinished; skills that match all of them come alone, and only if there are none, those that match some.
 */
export async function searchSkills(
  registry: Registry,
  query: DiscoverQuery,
  assess: (skill: Skill) => Assessment | Promise<Assessment>,
): Promise<DiscoveredSkill[]> {
  const filtered = registry.skills.filter(filterOf(registry, query));
  const found: { skill: Skill; score?: number }[] = query.text?.trim()
    ? await searchText(filtered, query.text)
    : filtered.map((skill) => ({ skill }));
  const results: DiscoveredSkill[] = [];
  for (const { skill, score } of found) {
    const assessment = await assess(skill);
    if (query.fits && assessment.fits !== true) continue;
    if (query.runnable && !assessment.runnable.yes) continue;
    results.push({ skill, ...(score === undefined ? {} : { score }), ...assessment });
  }
  return results;
}

function filterOf(registry: Registry, query: DiscoverQuery): (skill: Skill) => boolean {
  const task = query.task === undefined ? undefined : parseTask(query.task);
  const architecture =
    query.architecture === undefined ? undefined : parseArchitecture(registry, query.architecture);
  const model = query.model?.trim().toLowerCase();
  const exact = query.model === undefined ? undefined : registry.resolve(query.model)?.skill;
  return (skill) =>
    (task === undefined || skill.tasks.includes(task)) &&
    (architecture === undefined || skill.modelType === architecture) &&
    (query.hardware === undefined || skill.hardware.includes(query.hardware)) &&
    (model === undefined || (exact ? exact === skill : namesOf(skill).some((name) => name.includes(model))));
}

/** `GPT-2`, `gpt2`, `Gpt_2` → gpt2. */
function parseArchitecture(registry: Registry, typed: string): string {
  const known = [...new Set(registry.skills.map((skill) => skill.modelType))].sort();
  const match = known.find((modelType) => plain(modelType) === plain(typed));
  if (match !== undefined) return match;
  throw new HfmsError("invalid_request", `no skill has the architecture "${typed}"`, {
    hint: `there are ${known.join(", ")}`,
    param: "architecture",
  });
}

/** `GPT-2` is two words to the index, and other skills have both. */
function isCalled(skill: Skill, text: string): boolean {
  return [skill.name, skill.title, ...skill.aliases].some((name) => plain(name) === plain(text));
}

function plain(text: string): string {
  return text.toLowerCase().replace(/[\s_.-]/g, "");
}

function namesOf(skill: Skill): string[] {
  const names = [skill.name, ...skill.aliases];
  for (const model of skill.models) names.push(model.id, ...(model.aliases ?? []));
  return names.map((name) => name.toLowerCase());
}

async function searchText(
  skills: readonly Skill[],
  text: string,
): Promise<{ skill: Skill; score: number }[]> {
  const { default: MiniSearch } = await import("minisearch");
  const fields = ["name", "aliases", "title", "description", "tasks", "models", "notes", "kinds"];
  const index = new MiniSearch({
    fields,
    idField: "name",
    searchOptions: {
      boost: { name: 4, aliases: 4, title: 3, tasks: 2, models: 1.5, kinds: 0.5 },
      prefix: (term) => term.length > 1,
      // `embeding` is one letter away; in words as short as `gte` and `bge` every letter counts.
      fuzzy: (term) => (term.length > 4 ? 0.2 : false),
    },
  });
  index.addAll(
    skills.map((skill) => ({
      name: skill.name,
      aliases: skill.aliases.join(" "),
      title: skill.title,
      description: skill.description,
      tasks: skill.tasks.join(" "),
      models: skill.models.flatMap((model) => [model.id, ...(model.aliases ?? [])]).join(" "),
      notes: skill.notes ?? "",
      kinds: kindsOf(skill).join(" "),
    })),
  );
  const all = index.search(text, { combineWith: "AND" });
  const hits = all.length > 0 ? all : index.search(text);
  const byName = new Map(skills.map((skill) => [skill.name, skill]));
  return hits
    .map(({ id, score }) => ({ skill: byName.get(id)!, score }))
    .map(({ skill, score }) => ({ skill, score: isCalled(skill, text) ? score * NAMED : score }))
    .map(({ skill, score }) => ({ skill, score: Math.round(score * 1000) / 1000 }))
    .sort((a, b) => b.score - a.score || (a.skill.name < b.skill.name ? -1 : 1));
}

/** What people call such models: an embedding model says "vectors" of itself, or only "feature-extraction". */
function kindsOf(skill: Skill): string[] {
  const kinds = new Set(skill.tasks.flatMap(synonymsOf));
  // What only continues a text is no chat model, though the Hub has one task for both.
  if (!skill.examples.some((example) => example.startsWith("hfms chat "))) {
    kinds.delete("chat");
    kinds.delete("conversational");
  }
  return [...kinds];
}
