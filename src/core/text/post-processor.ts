import { HfmsError } from "../errors.js";
import type { TaggedConfig, TokenRow } from "./types.js";

/** What the special tokens of `addSpecialTokens` make of one sequence or of two. */
export interface PostProcessor {
  /** Around one sequence. */
  before: number[];
  after: number[];
  /** Spaces that a token begins or ends with are not part of its place in the text. */
  trimOffsets: boolean;
  /** The ids of one sequence or two with special tokens, and the segment that each id is part of. */
  join(first: readonly number[], second?: readonly number[]): TokenRow;
}

/** Compiles tokenizer.json's `post_processor`. `idOf` resolves token strings. */
export function compilePostProcessor(
  config: TaggedConfig | null | undefined,
  idOf: (token: string) => number | undefined,
): PostProcessor {
  const { single, pair } = templatesOf(config, idOf);
  const place = single.findIndex((part) => "sequence" in part);
  let joined: Template | undefined;
  const pairTemplate = (): Template => (joined ??= need(pair?.()));
  const idsOf = (parts: Template): number[] => parts.flatMap((part) => ("ids" in part ? part.ids : []));
  return {
    before: idsOf(single.slice(0, place)),
    after: idsOf(single.slice(place + 1)),
    trimOffsets: trims(config),
    join: (first, second) => fill(second === undefined ? single : pairTemplate(), [first, second ?? []]),
  };
}

/** Steps of byte-level tokenizers trim unless they say otherwise. */
function trims(config: TaggedConfig | null | undefined): boolean {
  if (config?.type === "Sequence") return ((config.processors ?? []) as TaggedConfig[]).some(trims);
  return (
    (config?.type === "ByteLevel" || config?.type === "RobertaProcessing") && config.trim_offsets !== false
  );
}

/** What stands in a row, in order: special tokens, and places for the sequences. `type` is the segment. */
type Template = ({ ids: number[]; type: number } | { sequence: 0 | 1; type: number })[];

interface Templates {
  single: Template;
  /** Looked at when a pair comes; absent where what the file says of pairs can't be told. */
  pair?: () => Template;
}

/** Two sequences are told apart by their segments even where nothing stands between them. */
const bare: Templates = {
  single: [{ sequence: 0, type: 0 }],
  pair: () => [
    { sequence: 0, type: 0 },
    { sequence: 1, type: 1 },
  ],
};

function templatesOf(
  config: TaggedConfig | null | undefined,
  idOf: (token: string) => number | undefined,
): Templates {
  switch (config?.type) {
    case undefined:
    case "ByteLevel":
      return bare;
    case "BertProcessing":
      return around(config, (cls, sep) => [
        cls,
        ...bare.single,
        sep,
        { sequence: 1, type: 1 },
        { ...sep, type: 1 },
      ]);
    case "RobertaProcessing":
      return around(config, (cls, sep) => [cls, ...bare.single, sep, sep, { sequence: 1, type: 0 }, sep]);
    case "TemplateProcessing":
      return {
        single: template(config, config.single, idOf),
        pair: config.pair ? () => template(config, config.pair, idOf) : bare.pair,
      };
    case "Sequence":
      return ((config.processors ?? []) as TaggedConfig[])
        .map((step) => templatesOf(step, idOf))
        .reduce(nested, bare);
    default:
      throw new HfmsError(
        "unsupported_model",
        `the tokenizer's post-processor "${config?.type}" is not supported`,
      );
  }
}

type Special = { ids: number[]; type: number };

function around(config: TaggedConfig, pair: (cls: Special, sep: Special) => Template): Templates {
  const [cls, sep] = ([config.cls, config.sep] as [string, number][]).map(([, id]) => ({
    ids: [id],
    type: 0,
  }));
  return { single: [cls, ...bare.single, sep], pair: () => pair(cls, sep) };
}

/** A later step puts its tokens around those of an earlier one. Of two steps that join pairs, nobody knows the sum. */
function nested(inner: Templates, outer: Templates): Templates {
  const single = outer.single.flatMap((part) => ("sequence" in part ? inner.single : part));
  if (outer === bare) return inner;
  return { single, pair: inner === bare ? outer.pair : undefined };
}

type TemplateItem =
  | { SpecialToken: { id: string; type_id?: number } }
  | { Sequence: { id: string; type_id?: number } };

function template(
  config: TaggedConfig,
  items: unknown,
  idOf: (token: string) => number | undefined,
): Template {
  const special = (config.special_tokens ?? {}) as Record<string, { ids?: number[] }>;
  const parts = ((items ?? []) as TemplateItem[]).map((item): Template[number] => {
    if (!("SpecialToken" in item)) {
      const { id, type_id: type = 0 } = item.Sequence;
      return { sequence: id === "B" ? 1 : 0, type };
    }
    const { id: token, type_id: type = 0 } = item.SpecialToken;
    const id = idOf(token);
    const ids = special[token]?.ids ?? (id === undefined ? undefined : [id]);
    if (!ids)
      throw new HfmsError("corrupt_file", `the tokenizer's template names "${token}", which has no id`);
    return { ids, type };
  });
  if (!parts.some((part) => "sequence" in part))
    throw new HfmsError("corrupt_file", "the tokenizer's template has no place for the text");
  return parts;
}

function need(pair: Template | undefined): Template {
  if (pair) return pair;
  throw new HfmsError(
    "unsupported_model",
    "the tokenizer's post-processor does not say how two texts are joined",
  );
}

function fill(template: Template, sequences: readonly (readonly number[])[]): TokenRow {
  const row: TokenRow = { ids: [], typeIds: [] };
  for (const part of template) {
    const ids = "sequence" in part ? sequences[part.sequence] : part.ids;
    for (const id of ids) {
      row.ids.push(id);
      row.typeIds.push(part.type);
    }
  }
  return row;
}
