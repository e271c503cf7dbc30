import { createMachine } from "./hardware/machine.js";
import { readMemory } from "./hardware/memory.js";
import type { DiscoverQuery } from "./requests.js";
import type { Registry } from "./skills/registry.js";
import { type Assessment, searchSkills } from "./skills/search.js";
import type { DiscoveredSkill, Skill } from "./skills/types.js";

/** Bytes a parameter takes in the format that `auto` would pick, scales included. */
const BYTES = { fp32: 4, int8: 1.125, int4: 0.625 };
const INT4_FROM = 3e9;
/** The process, the tokenizer, activations and a cache for a few thousand tokens. */
const OVERHEAD = 300e6;

/** Searches the skills and says of each what this machine makes of it. */
export async function discover(registry: Registry, query: DiscoverQuery): Promise<DiscoveredSkill[]> {
  const { architectures } = await import("./models/index.js");
  const machine = createMachine({ executionProviders: async () => [], runtimeDevices: async () => [] });
  const memory = await readMemory(machine);
  return searchSkills(registry, query, (skill) =>
    assess(skill, new Set(Object.keys(architectures)), memory.total),
  );
}

function assess(skill: Skill, supported: ReadonlySet<string>, memoryTotal: number): Assessment {
  const memory = memoryOf(skill);
  const fits = memory === undefined ? undefined : memory <= memoryTotal;
  return { memory, fits, runnable: runnable(skill, supported, fits) };
}

function runnable(
  skill: Skill,
  supported: ReadonlySet<string>,
  fits: boolean | undefined,
): { yes: boolean; reason: string } {
  if (skill.route !== "native") return { yes: false, reason: "this release runs no transformers.js models" };
  if (!supported.has(skill.modelType))
    return { yes: false, reason: `no graph builder for ${skill.modelType}` };
  if (fits === false)
    return { yes: false, reason: "its default model needs more memory than this machine has" };
  return { yes: true, reason: "runs on the CPU" };
}

function memoryOf(skill: Skill): number | undefined {
  const { parameters } = skill.models[0];
  if (parameters === undefined) return undefined;
  const generates = skill.tasks.includes("text-generation");
  const bytes = !generates ? BYTES.fp32 : parameters < INT4_FROM ? BYTES.int8 : BYTES.int4;
  return parameters * bytes + OVERHEAD;
}
