import { z } from "zod";
import { HfmsError } from "../errors.js";
import { BENCH_SCHEMA, type BenchMeasure, benchMeasures } from "./measures.js";

/** A result of a thousand cases is about 5 MB. */
const MAX_RESULT_BYTES = 100_000_000;

const number = z.number().finite();
const count = z.int().nonnegative();
const summary = z.object({
  samples: z.array(number).min(1),
  median: number,
  min: number,
  max: number,
  rel_mad: number,
});

const benchCase = z.object({
  task: z.enum(["text-generation", "feature-extraction"]),
  model: z.string(),
  revision: z.string(),
  source: z.string(),
  model_type: z.string(),
  device: z.string(),
  dtype: z.string(),
  /** Of each prompt and each answer; text-generation only. */
  prompt_tokens: count.optional(),
  max_tokens: count.optional(),
  /** In each request; feature-extraction only. */
  texts: count.optional(),
  /** Requests at the same time. */
  batch: count,
  /** Memory of the process and its children before the model was loaded. */
  memory_before_bytes: number,
  /** Opening the graph that lies on the disk, and the tokenizer; once for all cases of a model, device and dtype. */
  load_ms: number,
  /** One number a repeat. What the machine doesn't tell is absent. */
  measures: z.partialRecord(z.enum(Object.keys(benchMeasures) as [BenchMeasure, ...BenchMeasure[]]), summary),
});

const machine = z.object({
  cpu: z.string(),
  /** Physical cores, and logical ones that this process may use. */
  cores: number,
  threads: number,
  instruction_sets: z.array(z.string()),
  memory_bytes: number,
  os: z.string(),
  platform: z.string(),
  arch: z.string(),
  gpus: z.array(z.string()),
});

const benchResult = z.object({
  schema: z.literal("hfms-bench"),
  schema_version: z.literal(BENCH_SCHEMA),
  /** ISO 8601. */
  date: z.string(),
  hfms: z.object({
    version: z.string(),
    /** Where hfms runs in its repository. `changed`: the sources differed from the commit. */
    commit: z.string().optional(),
    changed: z.boolean().optional(),
  }),
  runtime: z.object({ name: z.string(), version: z.string() }),
  node: z.string(),
  machine,
  /** Runnable processes averaged over a minute, before and after; absent where the system has no such number. */
  load_average: z.object({ before: number, after: number }).optional(),
  /** What was typed. */
  arguments: z.array(z.string()),
  settings: z.object({
    warmup: count,
    repeats: count,
    seed: count,
    speculation: z.boolean(),
  }),
  /** False where an error or Ctrl-C ended it before the last case. */
  complete: z.boolean(),
  cases: z.array(benchCase),
  /** Why something is absent: one sentence each. */
  missing: z.array(z.string()),
});

export type BenchCase = z.infer<typeof benchCase>;
export type BenchMachine = z.infer<typeof machine>;
export type BenchResult = z.infer<typeof benchResult>;

/** A stored result; `name` is the file's, for the errors. */
export function parseBenchResult(text: string, name: string): BenchResult {
  const refuse = (reason: string, hint: string, cause?: unknown): never => {
    throw new HfmsError("invalid_request", `${name} ${reason}`, { hint, param: "compare", cause });
  };
  const wanted = "give files that `hfms bench --output` or `hfms bench --json` wrote";
  if (text.length > MAX_RESULT_BYTES) return refuse("is too large for a result of a benchmark", wanted);
  let json: { schema?: unknown; schema_version?: unknown } | null;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return refuse("is no JSON", wanted, error);
  }
  if (json?.schema !== "hfms-bench") return refuse("is no result of `hfms bench`", wanted);
  if (json.schema_version !== BENCH_SCHEMA) {
    const version = String(json.schema_version);
    return refuse(
      `has version ${version} of the format; this hfms compares version ${BENCH_SCHEMA}`,
      "measure again with this hfms, or compare with the one that wrote it",
    );
  }
  const parsed = benchResult.safeParse(json);
  if (parsed.success) return parsed.data;
  const [{ path, message }] = parsed.error.issues;
  return refuse(`is damaged: ${path.join(".") || "the document"}: ${message}`, wanted, parsed.error);
}
