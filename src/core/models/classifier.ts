import { z } from "zod";
import { HfmsError } from "../errors.js";
import type { ClassifierInfo } from "./types.js";

/**
 * config.json's fields of heads with labels. Sources: transformers, configuration_utils.py; sentence-transformers,
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

export type ClassifierConfig = z.infer<z.ZodObject<typeof classifierFields>>;

/** What a head that judges whole texts says, without `segments`. */
export function classifierOf(config: ClassifierConfig): Omit<ClassifierInfo, "segments"> {
  const labels = labelsOf(config);
  // As transformers' text-classification pipeline decides: a single label can't be one of several.
  const named = config.problem_type ?? "single_label_classification";
  const problem = labels.length === 1 && named !== "regression" ? "multi_label_classification" : named;
  const activation =
    config.sentence_transformers?.activation_fn ?? config.sbert_ce_default_activation_function;
  return { labels, problem, ...(activation && { activation: activation.split(".").at(-1) }) };
}

/** The labels' names, in the order of the logits. Throws corrupt_file where one has none. */
export function labelsOf(config: ClassifierConfig): string[] {
  const { id2label } = config;
  return Array.from({ length: labelCount(config) }, (_, i) => {
    if (!id2label) return `LABEL_${i}`;
    if (Object.hasOwn(id2label, i)) return id2label[i];
    throw new HfmsError("corrupt_file", `config.json: id2label says nothing of label ${i}`, {
      hint: "the file is damaged; pull the model again",
      param: "id2label",
    });
  });
}

export function labelCount({ id2label, num_labels: count }: ClassifierConfig): number {
  return id2label ? Object.keys(id2label).length : (count ?? 2);
}
