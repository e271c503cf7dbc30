import { z } from "zod";
import { HfmsError } from "../errors.js";
import { product, storeLinear } from "../graph/blocks/linear.js";
import type { GraphBuilder, Value } from "../graph/builder.js";
import type { BuildContext } from "../graph/model-weights.js";
import type { ClassifierInfo } from "./types.js";

/**
 * config.json's fields of sequence classification. Sources: transformers, configuration_utils.py; sentence-transformers,
 * CrossEncoder.
 */
export const classifierFields = {
  architectures: z.array(z.string()).nullish(),
  id2label: z.record(z.string(), z.string()).nullish(),
  num_labels: z.int().positive().max(100_000).nullish(),
  problem_type: z.enum(["single_label_classification", "multi_label_classification", "regression"]).nullish(),
  sentence_transformers: z.looseObject({ activation_fn: z.string().nullish() }).nullish(),
  /** Of releases before 4. */
  sbert_ce_default_activation_function: z.string().nullish(),
};

type ClassifierConfig = z.infer<z.ZodObject<typeof classifierFields>>;

/** The head that the configuration names, without `segments`; undefined where the model is another class. */
export function classifierOf(config: ClassifierConfig): Omit<ClassifierInfo, "segments"> | undefined {
  if (!config.architectures?.some((name) => name.endsWith("ForSequenceClassification"))) return undefined;
  const labels = labelsOf(config);
  // transformers' text-classification pipeline decides so where the configuration is silent.
  const problem =
    config.problem_type ??
    (labels.length === 1 ? "multi_label_classification" : "single_label_classification");
  const activation =
    config.sentence_transformers?.activation_fn ?? config.sbert_ce_default_activation_function;
  return { labels, problem, ...(activation && { activation: activation.split(".").at(-1) }) };
}

/** A model with one label gives a score, which is what ranking needs. */
export function classifierTasks(raw: Record<string, unknown>): string[] {
  const { success, data } = z.looseObject(classifierFields).safeParse(raw);
  const labels = success ? classifierOf(data)?.labels : undefined;
  if (!labels) return [];
  return labels.length === 1 ? ["text-ranking", "text-classification"] : ["text-classification"];
}

function labelsOf({ id2label, num_labels: count = 2 }: ClassifierConfig): string[] {
  if (!id2label) return Array.from({ length: count ?? 2 }, (_, i) => `LABEL_${i}`);
  const size = Object.keys(id2label).length;
  return Array.from({ length: size }, (_, i) => {
    if (Object.hasOwn(id2label, i)) return id2label[i];
    throw new HfmsError("corrupt_file", `config.json: id2label has ${size} labels and none for ${i}`, {
      param: "id2label",
    });
  });
}

/**
 * logits [batch, labels] of x [batch, sequence, hidden], of the first token of each text. Always float32.
 *
 *   x → Slice(tokens 0 and 1) → linear(pooler) → Tanh → linear(classifier) → Gather(token 0) → logits
 *
 * The second token is company: the runtime multiplies a single row by other kernels, which round otherwise, and a text
 * alone would get other bits than among others.
 */
export function classifierHead(
  g: GraphBuilder,
  x: Value,
  labels: number,
  { pooler, classifier }: { pooler: string; classifier: string },
  ctx: BuildContext,
): Value {
  const at = g.at("classifier");
  const dense = (name: string, input: Value, module: string): Value => {
    const { matrix, bias } = storeLinear(
      at,
      name,
      { role: "classifier", tensors: [`${module}.weight`], bias: [`${module}.bias`] },
      ctx,
    );
    return product(at.at(name), input, matrix, { bias, compute: ctx.compute });
  };
  const int64 = (value: number): Value => g.constant("int64", [1], [value]);
  const first = at.node("Slice", [x, int64(0), int64(2), int64(1)]);
  const pooled = at.node("Tanh", [dense("pooler", first, pooler)]);
  const scores = dense("scores", pooled, classifier);
  const logits = at.node("Gather", [scores, g.constant("int64", [], [0])], { axis: 1 }, "logits");
  g.output(logits, "float32", ["batch_size", labels]);
  return logits;
}
