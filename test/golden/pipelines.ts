import { join } from "node:path";
import type { Aggregation, Entity, Filling, SpanAnswer } from "../../src/core/requests.js";
import { readGolden } from "./reference.js";

/** What transformers' pipelines (fp32) say of texts; places are counted in UTF-16 units. */
interface References {
  entities: { inputs: { text: string; aggregation: Aggregation; stride?: number; entities: Entity[] }[] };
  answers: {
    inputs: {
      question: string;
      context: string;
      topK?: number;
      maxAnswerTokens?: number;
      maxTokens?: number;
      stride?: number;
      allowNone?: boolean;
      answers: SpanAnswer[];
    }[];
  };
  fillings: { inputs: { text: string; topK?: number; targets?: string[]; masks: Filling[][] }[] };
}

/** A tiny model with its tokenizer; `directory` is an absolute path in Hub layout. */
export function pipelineGolden<K extends keyof References>(
  name: `${"bert" | "roberta"}-${K}`,
): { directory: string; reference: References[K] } {
  const directory = join(import.meta.dirname, "pipelines", name);
  return { directory, reference: readGolden(join(directory, "reference.json")) as References[K] };
}
