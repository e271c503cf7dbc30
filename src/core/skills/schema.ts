import { z } from "zod";
import { deviceNames } from "../requests.js";
import { pipelineTags } from "./pipeline-tags.js";
import type { Skill } from "./types.js";

/**
 * The format of skills/<name>.json. skills/skill.schema.json is generated from it (`toJsonSchema`), for editors.
 * Only user skills and tests are checked against it: importing zod costs more time than reading every packaged skill.
 */
const text = z.string().trim().min(1);

const skillName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/, "a skill's name is lowercase letters, digits, _ . and -, 64 at most");

const alias = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_.-]*(:[a-z0-9][a-z0-9_.-]*)?$/,
    "an alias is lowercase letters, digits, _ . and -, and may end in :size",
  );

const hubId = z
  .string()
  .regex(/^[\w-][\w.-]*\/[\w-][\w.-]*$/, "a Hub id is org/name")
  .refine((id) => !id.includes(".."), "a Hub id has no ..");

const modality = z.enum(["text", "image", "audio", "video", "tensor"]);

const options = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]))
  .describe("defaults of the task's own options");

const packageRef = z.strictObject({
  registry: z.literal("pypi"),
  name: z.string().regex(/^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/, "not a package name"),
  version: z.string().regex(/^[0-9][A-Za-z0-9.+!-]*$/, "an exact version, not a range"),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "sha256 of the archive: 64 hex digits"),
  path: z
    .string()
    .regex(/^[^/\\]+(\/[^/\\]+)*$/, "a path inside the archive, with forward slashes")
    .refine((path) => !path.split("/").includes(".."), "a path inside the archive has no .."),
  size: z.int().positive().optional().describe("bytes of the archive"),
});

const skillModel = z.strictObject({
  id: hubId.describe("Hub id; the first model of a skill is its default"),
  aliases: z.array(alias).optional().describe("other names for this very model"),
  parameters: z.int().positive().optional().describe("how many; decides what fits into memory"),
  onnx: hubId.optional().describe("repository of a ready-made ONNX export, when it is not the id itself"),
  packages: z.array(packageRef).optional().describe("packages that carry the same model"),
  prompts: z
    .record(z.string(), z.string())
    .optional()
    .describe('what the model wants before a text, by role: {"query": "query: "}'),
  gated: z.boolean().optional().describe("handed out only to accounts that accepted the licence"),
  license: text.optional().describe("where it differs from the skill's"),
  options: options.optional(),
});

export const skillSchema = z.strictObject({
  name: skillName.describe("hf_gpt2; the file is named after it"),
  title: text,
  description: text.describe("one sentence, lowercase, no period: what it is good for"),
  aliases: z.array(alias),
  tasks: z.array(z.enum(pipelineTags)).min(1).describe("Hub pipeline tags, the main one first"),
  modelType: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_.-]*$/, "config.json's model_type")
    .describe("config.json's model_type"),
  route: z
    .enum(["native", "transformers.js"])
    .describe("hfms's own graphs, or transformers.js on a published ONNX export"),
  modalities: z.strictObject({ input: z.array(modality).min(1), output: z.array(modality).min(1) }),
  models: z.array(skillModel).min(1),
  hardware: z
    .array(z.enum(deviceNames))
    .refine((devices) => devices.includes("cpu"), "cpu is always among the devices")
    .describe("devices its route can use where the machine has them"),
  license: text.optional().describe("licence of the weights, by the Hub's name"),
  options: options.optional(),
  notes: text.optional().describe("what a user should know before relying on it"),
  examples: z.array(z.string().regex(/^hfms /, "an example is a command: hfms …")).min(1),
  // The contract says string[] for tasks and modalities, so that readers need no zod type.
}) satisfies z.ZodType<Skill>;

/** The JSON Schema of a skill file (draft 2020-12). */
export function toJsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(skillSchema) as Record<string, unknown>;
}

/** What is wrong with a skill's data, one line a fault: "models.0.id: a Hub id is org/name". Empty when it is right. */
export function faultsOf(data: unknown): string[] {
  const parsed = skillSchema.safeParse(data);
  if (parsed.success) return [];
  return parsed.error.issues.map((issue) =>
    issue.path.length > 0 ? `${issue.path.join(".")}: ${issue.message}` : issue.message,
  );
}
