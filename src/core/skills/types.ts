import type { PackageRef } from "../hub/types.js";
import type { DeviceName } from "../requests.js";

/** One skill: data, never code. The file is skills/<name>.json; skills/skill.schema.json is generated from the zod schema. */
export interface Skill {
  /** hf_gpt2 */
  name: string;
  title: string;
  description: string;
  aliases: string[];
  /** Hub pipeline tags, the main one first. */
  tasks: string[];
  /** config.json's `model_type`. */
  modelType: string;
  /** How it runs: hfms's own graph builder, or transformers.js on a published ONNX export. */
  route: "native" | "transformers.js";
  /** What goes in and comes out: text, image, audio, video, tensor, … */
  modalities: { input: string[]; output: string[] };
  models: SkillModel[];
  /** Devices its route can use where the machine has them; `cpu` always among them. */
  hardware: DeviceName[];
  license?: string;
  /** Defaults of the task's own options, in the task's words: {"threshold": 0.3}. */
  options?: Record<string, SkillOption>;
  notes?: string;
  examples: string[];
}

/** What a task option can hold; lists are label sets and the like. */
type SkillOption = string | number | boolean | string[];

export interface SkillModel {
  /** Hub id; the first model of a skill is its default. */
  id: string;
  /** Other names for this very model: `smollm2`. */
  aliases?: string[];
  /** Parameters, for `--fits`. */
  parameters?: number;
  /** Repository with a ready-made ONNX export, when it is not `id` itself. */
  onnx?: string;
  packages?: PackageRef[];
  /** Prompts that the model needs, by role: {"query": "query: "}. */
  prompts?: Record<string, string>;
  /** Its authors hand it out only to accounts that accepted the licence: HF_TOKEN is needed. */
  gated?: boolean;
  /** Where it differs from the skill's. */
  license?: string;
  /** Where they differ from the skill's. */
  options?: Record<string, SkillOption>;
}

/** A search result of `discover`: the skill, and what this machine says to it. */
export interface DiscoveredSkill {
  skill: Skill;
  /** Relevance of a text query, higher is better; absent without one. */
  score?: number;
  /** Can this build run it on this machine, and if not, why not. */
  runnable: { yes: boolean; reason: string };
  /** Bytes that the default model takes in memory, estimated from its parameters; absent when unknown. */
  memory?: number;
  fits?: boolean;
}
