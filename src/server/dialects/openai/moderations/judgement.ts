import { type ClassificationProblem, HfmsError, type LabelScore } from "../../../../core/index.js";

/** What a classifier's labels say of one text, in OpenAI's form. */
export interface Judgement {
  flagged: boolean;
  /** Of each label: does it flag the text? */
  categories: Record<string, boolean>;
  category_scores: Record<string, number>;
  category_applied_input_types: Record<string, ["text"]>;
}

export interface JudgementOptions {
  problem: ClassificationProblem;
  /** Labels that say that a text is fine; without them, those with a name that does. */
  harmless?: readonly string[];
}

/** Where any number of labels may fit, those fit that are as likely as not. */
const THRESHOLD = 0.5;

/** Names by which classifiers of unwanted text call the rest. */
const HARMLESS = new Set([
  "acceptable",
  "benign",
  "clean",
  "ham",
  "harmless",
  "neutral",
  "none",
  "normal",
  "ok",
  "safe",
  "sfw",
]);

/**
 * A text is flagged by the labels that fit it and are not harmless: where one label fits, the likeliest; where any
 * number do, those with at least 0.5. Throws where that would flag every text, or none can be read so.
 */
export function judgement(labels: readonly LabelScore[], { problem, harmless }: JudgementOptions): Judgement {
  const names = labels.map(({ label }) => label);
  const fine = harmless ? given(harmless, names) : harmlessLabels(names);
  if (problem === "regression") {
    throw new HfmsError("unsupported_task", "the model tells a quantity, not which labels fit", {
      hint: "/v1/classify tells it",
      param: "model",
    });
  }
  const single = problem === "single_label_classification";
  if (single && fine.size === 0) {
    throw new HfmsError(
      "invalid_request",
      `one of the labels ${names.join(", ")} fits every text, and none is known to mean that a text is fine`,
      { hint: "say which do", param: "harmless_labels" },
    );
  }
  const best = labels.reduce((a, b) => (b.score > a.score ? b : a));
  const fits = (one: LabelScore): boolean => (single ? one === best : one.score >= THRESHOLD);
  const categories = labels.map((one) => [one.label, fits(one) && !fine.has(one.label)] as const);
  return {
    flagged: categories.some(([, flags]) => flags),
    categories: Object.fromEntries(categories),
    category_scores: Object.fromEntries(labels.map(({ label, score }) => [label, score])),
    category_applied_input_types: Object.fromEntries(names.map((name) => [name, ["text"]])),
  };
}

function given(harmless: readonly string[], names: readonly string[]): Set<string> {
  const unknown = harmless.find((label) => !names.includes(label));
  if (unknown === undefined) return new Set(harmless);
  throw new HfmsError("invalid_request", `the model has no label ${JSON.stringify(unknown)}`, {
    hint: `it has ${names.join(", ")}`,
    param: "harmless_labels",
  });
}

/** Labels with a name of the list, and those that deny a harmful one: `non-toxic` beside `toxic`. */
function harmlessLabels(names: readonly string[]): Set<string> {
  const words = new Map(names.map((name) => [name, name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, "")]));
  const all = new Set(words.values());
  const denies = (word: string): boolean =>
    ["no", "non", "not"].some((no) => {
      const rest = word.slice(no.length);
      return word.startsWith(no) && all.has(rest) && !HARMLESS.has(rest);
    });
  return new Set(names.filter((name) => HARMLESS.has(words.get(name)!) || denies(words.get(name)!)));
}
