import { HfmsError } from "../errors.js";
import type { TaggedConfig } from "./types.js";

/** What `addSpecialTokens` puts around one sequence. */
export interface Surrounding {
  before: number[];
  after: number[];
}

/** Compiles tokenizer.json's `post_processor` for a single sequence. `idOf` resolves token strings. */
export function compilePostProcessor(
  config: TaggedConfig | null | undefined,
  idOf: (token: string) => number | undefined,
): Surrounding {
  if (!config) return { before: [], after: [] };
  switch (config.type) {
    case "ByteLevel":
      return { before: [], after: [] };
    case "BertProcessing":
    case "RobertaProcessing": {
      const [cls, sep] = [config.cls, config.sep] as [string, number][];
      return { before: [cls[1]], after: [sep[1]] };
    }
    case "TemplateProcessing":
      return template(config, idOf);
    case "Sequence":
      return ((config.processors ?? []) as TaggedConfig[])
        .map((step) => compilePostProcessor(step, idOf))
        .reduce(
          (inner, outer) => ({
            before: [...outer.before, ...inner.before],
            after: [...inner.after, ...outer.after],
          }),
          { before: [], after: [] },
        );
    default:
      throw new HfmsError(
        "unsupported_model",
        `the tokenizer's post-processor "${config.type}" is not supported`,
      );
  }
}

type TemplateItem = { SpecialToken: { id: string } } | { Sequence: { id: string } };

function template(config: TaggedConfig, idOf: (token: string) => number | undefined): Surrounding {
  const items = (config.single ?? []) as TemplateItem[];
  const special = (config.special_tokens ?? {}) as Record<string, { ids?: number[] }>;
  const idsOf = (item: TemplateItem): number[] => {
    if (!("SpecialToken" in item)) return [];
    const token = item.SpecialToken.id;
    const id = idOf(token);
    const ids = special[token]?.ids ?? (id === undefined ? undefined : [id]);
    if (!ids)
      throw new HfmsError("corrupt_file", `the tokenizer's template names "${token}", which has no id`);
    return ids;
  };
  const sequence = items.findIndex((item) => "Sequence" in item);
  if (sequence < 0) throw new HfmsError("corrupt_file", "the tokenizer's template has no place for the text");
  return {
    before: items.slice(0, sequence).flatMap(idsOf),
    after: items.slice(sequence + 1).flatMap(idsOf),
  };
}
