import { z } from "zod";
import { HfmsError } from "../errors.js";
import type { ClassifierInfo } from "./types.js";

/**
 * config.json's fields of sequence classification. Sources: transformers, configuration_utils.py; sentence-transformers,
 * CrossEncoder.
 */
export const classifierFields = {
  architectures: z.array(z.string()).nullish(),
  id2label: z.record(z.string(), z.coerce.string()).nullish(),
  num_labels: z.int().positive().max(100_000).nullish(),
  problem_type: z.enum(["single_label_classification", "multi_label_classification", "regression"]).nullish(),
  sentence_transformers: z.looseObject({ activation_fn: z.string().nullish() }).nullish(),
  /** Of releases before 4. */
  sbert_ce_default_activation_function: z.string().nullish(),
};

type ClassifierConfig = z.infer<z.ZodObject<typeof classifierFields>>;

/** The head of the class `name`, without `segments`; undefined where the configuration names another class. */
export function classifierOf(
  config: ClassifierConfig,
  name: string,
): Omit<ClassifierInfo, "segments"> | undefined {
  if (!config.architectures?.includes(name)) return undefined;
  const { id2label } = config;
  const labels = Array.from({ length: labelCount(config) }, (_, i) => {
    if (!id2label) return `LABEL_${i}`;
    if (Object.hasOwn(id2label, i)) return id2label[i];
    throw new HfmsError("corrupt_file", `config.json: id2label says nothing of label ${i}`, {
      hint: "the file is damaged; pull the model again",
      param: "id2label",
    });
  });
  // As transformers' text-classification pipeline decides: a single label can't be one of several.
  const named = config.problem_type ?? "single_label_classification";
  const problem = labels.length === 1 && named !== "regression" ? "multi_label_classification" : named;
  const activation =
    config.sentence_transformers?.activation_fn ?? config.sbert_ce_default_activation_function;
  return { labels, problem, ...(activation && { activation: activation.split(".").at(-1) }) };
}

/** Tasks of the class `name`. A model with one label gives a score, which is what ranking needs. */
export function classifierTasks(raw: Record<string, unknown>, name: string): string[] {
  const { success, data } = z.looseObject(classifierFields).safeParse(raw);
  if (!success || !data.architectures?.includes(name)) return [];
  return labelCount(data) === 1 ? ["text-ranking", "text-classification"] : ["text-classification"];
}

function labelCount({ id2label, num_labels: count }: ClassifierConfig): number {
  return id2label ? Object.keys(id2label).length : (count ?? 2);
}
