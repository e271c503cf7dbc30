import { HfmsError } from "../errors.js";
import type { MetadataValue } from "../weights/types.js";
import { surround } from "./surround.js";
import type { AddedTokenConfig, TaggedConfig } from "./types.js";

/** `tokenizer.ggml.token_type`, as ggml's llama.h numbers them. */
export const tokenTypes = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** What every kind of tokenizer in a GGUF file has. */
export interface GgufVocabulary {
  /** What the file is called in messages. */
  file: string;
  metadata: ReadonlyMap<string, MetadataValue>;
  /** `tokenizer.ggml.model`: gpt2, llama, t5, bert … */
  model: string;
  tokens: string[];
  /** One of `tokenTypes` for each token. */
  types: number[];
  /** Token strings of the roles that the file or its kind names. */
  roles: Partial<Record<Role, string>>;
}

const roleKeys = {
  bos: ["bos_token_id"],
  eos: ["eos_token_id"],
  unk: ["unknown_token_id"],
  pad: ["padding_token_id"],
  cls: ["cls_token_id"],
  // llama.cpp's own spelling, and what converters write.
  sep: ["seperator_token_id", "separator_token_id"],
  mask: ["mask_token_id"],
} as const;
type Role = keyof typeof roleKeys;

/** Ids that llama.cpp assumes where a file doesn't say. */
const usualRoles: Record<string, Partial<Record<Role, number>>> = {
  llama: { bos: 1, eos: 2, unk: 0 },
  t5: { eos: 1, unk: 2, pad: 0 },
  bert: { cls: 101, sep: 102, unk: 100, pad: 0, mask: 103 },
};

/** Throws corrupt_file naming the key that is missing or wrong. */
export function readGgufVocabulary(
  metadata: ReadonlyMap<string, MetadataValue>,
  file: string,
): GgufVocabulary {
  const model = metadata.get("tokenizer.ggml.model");
  if (typeof model !== "string") {
    throw new HfmsError("corrupt_file", `${file} has no tokenizer (tokenizer.ggml.model)`, {
      hint: "put the model's tokenizer.json beside it",
    });
  }
  const source = { file, metadata };
  const tokens = strings(source, "tokens");
  if (!tokens?.length) throw new HfmsError("corrupt_file", `${file} has no tokens (tokenizer.ggml.tokens)`);
  const types = numbers(source, "token_type") ?? tokens.map(() => tokenTypes.normal);
  if (types.length !== tokens.length) {
    throw new HfmsError(
      "corrupt_file",
      `${file} has ${tokens.length} tokens but ${types.length} token types (tokenizer.ggml.token_type)`,
    );
  }
  const named = tokens.map((token, id) => (token === "" ? `[EMPTY_${id}]` : token));
  const vocabulary = { file, metadata, model, tokens: named, types };
  return { ...vocabulary, roles: readRoles(vocabulary) };
}

function readRoles({
  file,
  metadata,
  model,
  tokens,
  types,
}: Omit<GgufVocabulary, "roles">): GgufVocabulary["roles"] {
  const roles: GgufVocabulary["roles"] = {};
  for (const [role, keys] of Object.entries(roleKeys) as [Role, readonly string[]][]) {
    const key = keys.find((candidate) => metadata.has(`tokenizer.ggml.${candidate}`));
    if (key === undefined) {
      const usual = usualRoles[model]?.[role] ?? -1;
      const special = types[usual] === tokenTypes.control || types[usual] === tokenTypes.unknown;
      if (special) roles[role] = tokens[usual];
      continue;
    }
    const id = metadata.get(`tokenizer.ggml.${key}`);
    const token = tokens[Number(id)];
    if (token === undefined) {
      throw new HfmsError(
        "corrupt_file",
        `${file}'s ${role} token ${id} (tokenizer.ggml.${key}) is outside its ${tokens.length} tokens`,
      );
    }
    roles[role] = token;
  }
  return roles;
}

/** The tokens that stand for themselves wherever they are in a text. */
export function addedTokens({ model, tokens, types, roles }: GgufVocabulary): AddedTokenConfig[] {
  const added: AddedTokenConfig[] = [];
  types.forEach((type, id) => {
    const special = type === tokenTypes.control || type === tokenTypes.unknown;
    if (!special && type !== tokenTypes.userDefined) return;
    const content = tokens[id];
    // GGUF can't say that a token takes the space before it; RoBERTa's <mask> and its heirs do.
    const lstrip = content === roles.mask && model !== "bert";
    added.push({ id, content, single_word: false, lstrip, rstrip: false, normalized: false, special });
  });
  return added;
}

/**
 * BOS (or CLS) before the text and EOS (or SEP) after it, as the file says or else by default. `add_sep_token` says that two
 * texts have one more between them, which only RoBERTa and its heirs do: <s> A </s></s> B </s>.
 */
export function template(
  { metadata, model, roles, tokens }: GgufVocabulary,
  bosByDefault: boolean,
  eosByDefault: boolean,
): TaggedConfig | null {
  const adds = (name: string) => metadata.get(`tokenizer.ggml.add_${name}_token`);
  const first = roles.cls ?? roles.bos;
  const last = model === "bert" ? (roles.sep ?? roles.eos) : roles.eos;
  const addFirst = adds("bos") ?? bosByDefault;
  const addLast = adds("eos") ?? adds("sep") ?? eosByDefault;
  const idOf = (token: string) => tokens.indexOf(token);
  const isRoberta = addFirst && addLast && adds("sep") === true && model !== "bert";
  if (isRoberta && first !== undefined && last !== undefined) {
    return { type: "RobertaProcessing", sep: [last, idOf(last)], cls: [first, idOf(first)] };
  }
  return surround(addFirst ? first : undefined, addLast ? last : undefined, idOf);
}

export function vocabularyOf(tokens: string[]): Record<string, number> {
  return Object.fromEntries(tokens.map((token, id) => [token, id]));
}

/** The text under `tokenizer.ggml.<key>`; an empty one is none. */
export function text({ metadata }: Pick<GgufVocabulary, "metadata">, key: string): string | undefined {
  const value = metadata.get(`tokenizer.ggml.${key}`);
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The truth under `tokenizer.ggml.<key>`. */
export function flag(
  { metadata }: Pick<GgufVocabulary, "metadata">,
  key: string,
  otherwise: boolean,
): boolean {
  const value = metadata.get(`tokenizer.ggml.${key}`);
  return typeof value === "boolean" ? value : otherwise;
}

export function strings(source: MetadataSource, key: string): string[] | undefined {
  return list(source, key, (value) => typeof value === "string");
}

export function numbers(source: MetadataSource, key: string): number[] | undefined {
  return list(source, key, (value) => typeof value === "number");
}

type MetadataSource = Pick<GgufVocabulary, "file" | "metadata">;

function list<T extends MetadataValue>(
  { file, metadata }: MetadataSource,
  key: string,
  is: (value: MetadataValue) => value is T,
): T[] | undefined {
  const value = metadata.get(`tokenizer.ggml.${key}`);
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every(is)) return value as T[];
  throw new HfmsError("corrupt_file", `${file}'s tokenizer.ggml.${key} is not a list of the right kind`);
}
