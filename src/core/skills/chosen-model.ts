import { statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { HfmsError } from "../errors.js";
import { type ModelName, parseModelName } from "./model-name.js";
import type { Registry } from "./registry.js";
import type { Skill, SkillModel } from "./types.js";

/** What a typed name means on this machine: a repository, perhaps through a skill, or files that are already here. */
export type ChosenModel =
  | { kind: "hub"; id: string; revision?: string; quant?: string; skill?: Skill; model?: SkillModel }
  | { kind: "directory" | "gguf"; path: string };

/**
 * Decides what `typed` means. Skills and aliases come first; then a folder of that name with a config.json in it, as in
 * transformers (`./name` always means the folder); then the Hub. Paths come out absolute; without `allowPaths` they are
 * refused, and folders are not looked for. Throws invalid_request, or skill_not_found and model_not_found with the nearest names.
 */
export function chooseModel(
  registry: Registry,
  typed: string,
  { allowPaths = true, ...where }: { cwd?: string; home?: string; allowPaths?: boolean } = {},
): ChosenModel {
  const name = parseModelName(typed);
  const absolute = (file: string) => toAbsolute(file, where.cwd ?? process.cwd(), where.home ?? os.homedir());
  if (name.kind === "directory" || name.kind === "gguf") {
    if (allowPaths) return { kind: name.kind, path: absolute(name.path) };
    throw new HfmsError(
      "model_not_found",
      `${JSON.stringify(typed)} is a path, and no model can be named by one here`,
      {
        hint: "give a skill or alias (smollm2) or a Hub id (org/name)",
        param: "model",
      },
    );
  }
  const known = throughSkill(registry, name);
  if (known) return known;
  const folder = absolute(typed.trim());
  if (allowPaths && isModelFolder(folder)) return { kind: "directory", path: folder };
  if (name.kind === "hub") return name;
  throw notFound(registry, typed, name.name);
}

function throughSkill(
  registry: Registry,
  name: ModelName & { kind: "name" | "hub" },
): ChosenModel | undefined {
  const base = name.kind === "hub" ? name.id : name.name;
  const tag = name.kind === "hub" ? name.quant : name.tag;
  // smollm2:360m is an alias of its own; smollm2:q4_1 is smollm2 in a quantization.
  const whole = tag === undefined ? undefined : registry.resolve(`${base}:${tag}`);
  const choice = whole ?? registry.resolve(base);
  if (!choice) return undefined;
  return {
    kind: "hub",
    id: choice.model.id,
    ...(name.revision === undefined ? {} : { revision: name.revision }),
    ...(tag === undefined || whole ? {} : { quant: tag }),
    ...choice,
  };
}

function toAbsolute(file: string, cwd: string, home: string): string {
  if (file === "~" || file.startsWith("~/") || file.startsWith("~\\")) return path.join(home, file.slice(1));
  return path.resolve(cwd, file);
}

function isModelFolder(folder: string): boolean {
  return statSync(path.join(folder, "config.json"), { throwIfNoEntry: false })?.isFile() ?? false;
}

function notFound(registry: Registry, typed: string, name: string): HfmsError {
  const near = registry.nearest(typed);
  const suggestions = near.length > 0 ? near : registry.nearest(name);
  const hint =
    suggestions.length > 0
      ? `did you mean ${suggestions.join(", ")}? \`hfms discover\` lists all`
      : "`hfms discover` lists the skills; a model of the Hub is named org/name, a folder ./name";
  return name.toLowerCase().startsWith("hf_")
    ? new HfmsError("skill_not_found", `no skill is named "${typed}"`, { hint, param: "model" })
    : new HfmsError("model_not_found", `no skill, alias or folder is named "${typed}"`, {
        hint,
        param: "model",
      });
}
