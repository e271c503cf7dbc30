import { HfmsError, throwIfAborted } from "../errors.js";
import { AddedTokenFinder, type Section } from "./added-tokens.js";
import { BytePairModel } from "./byte-pair.js";
import { Detokenizer } from "./detokenizer.js";
import { compileNormalizer } from "./normalizer.js";
import { loadPatterns } from "./patterns.js";
import { compilePostProcessor } from "./post-processor.js";
import { compilePreTokenizer } from "./pre-tokenizer.js";
import { contentOf } from "./special-tokens.js";
import { placeTokens } from "./token-places.js";
import { readTokenizerFiles } from "./tokenizer-files.js";
import type {
  AddedTokenConfig,
  ModelConfig,
  Tokenizer,
  TokenizerConfig,
  TokenizerJson,
  TokenModel,
} from "./types.js";
import { UnigramModel } from "./unigram.js";
import { WordPieceModel } from "./word-piece.js";

/**
 * The tokenizer of a directory in Hub layout: tokenizer.json, or what older repositories have instead (vocab.json and
 * merges.txt, vocab.txt). Throws model_not_found when there is none, corrupt_file when it can't be read and
 * unsupported_model when it needs something that is not built.
 */
export async function loadTokenizer(directory: string, signal?: AbortSignal): Promise<Tokenizer> {
  const files = await readTokenizerFiles(directory, signal);
  throwIfAborted(signal);
  return createTokenizer(files.tokenizerJson, files.tokenizerConfig);
}

/** A tokenizer from the objects in tokenizer.json and tokenizer_config.json. */
export async function createTokenizer(json: TokenizerJson, config: TokenizerConfig = {}): Promise<Tokenizer> {
  if (typeof json?.model !== "object" || !json.model?.vocab) {
    throw new HfmsError("corrupt_file", "tokenizer.json has no model with a vocabulary");
  }
  const compile = await loadPatterns(json.normalizer, json.pre_tokenizer);
  try {
    const { vocabulary, tokens } = readVocabulary(json.model);
    const { added, specialTokens } = readAddedTokens(json, config, vocabulary);
    const normalize = compileNormalizer(json.normalizer, compile);
    const preTokenizer = compilePreTokenizer(json.pre_tokenizer, compile);
    const model = createModel(json.model, vocabulary, tokens, preTokenizer.byteLevel);
    for (const { content, id } of added) {
      vocabulary.set(content, id);
      tokens[id] = content;
    }
    const surrounding = compilePostProcessor(json.post_processor, (token) => vocabulary.get(token));
    const verbatim = new AddedTokenFinder(
      added.filter((token) => !token.normalized),
      (token) => token.content,
    );
    const normalized = new AddedTokenFinder(
      added.filter((token) => token.normalized),
      (token) => normalize(token.content),
    );
    const trim = surrounding.trimOffsets;
    const parts = { config: json.model, verbatim, normalized, normalize, preTokenizer, model, tokens, trim };
    const special = new Set(added.filter((token) => token.special).map((token) => token.id));
    const addedIds = new Set(added.map((token) => token.id));

    const encodeSection = (section: Section, ids: number[]) => {
      if (section.id !== undefined) return void ids.push(section.id);
      for (const part of normalized.split(normalize(section.text))) {
        if (part.id !== undefined) ids.push(part.id);
        else
          for (const word of preTokenizer.split(part.text, section.start + part.start === 0))
            model.encode(word, ids);
      }
    };
    const tokenizer: Tokenizer = {
      vocabularySize: tokens.length,
      decoder: json.decoder ?? null,
      specialTokens,
      wordPiecePrefix: json.model.continuing_subword_prefix || undefined,
      encode(text, { addSpecialTokens = true } = {}) {
        const ids: number[] = [];
        if (addSpecialTokens) ids.push(...surrounding.before);
        for (const section of verbatim.split(text)) encodeSection(section, ids);
        if (addSpecialTokens) ids.push(...surrounding.after);
        return ids;
      },
      join: surrounding.join,
      locate: (text) => placeTokens(text, parts),
      decode(ids, { skipSpecialTokens = false } = {}) {
        const detokenizer = new Detokenizer(tokenizer, { skipSpecialTokens });
        let text = "";
        for (const id of ids) text += detokenizer.push(id);
        return text + detokenizer.flush();
      },
      tokenToId: (token) => vocabulary.get(token),
      idToToken: (id) => tokens[id],
      isSpecial: (id) => special.has(id),
      isAdded: (id) => addedIds.has(id),
    };
    // The decoder is compiled on use; a wrong one must be noticed now.
    new Detokenizer(tokenizer);
    return tokenizer;
  } catch (error) {
    if (error instanceof HfmsError) throw error;
    throw new HfmsError("corrupt_file", `the tokenizer can't be built: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Ids by token and tokens by id. The plainest loops: they run 50,000 to 250,000 times at every start. */
function readVocabulary(model: ModelConfig): { vocabulary: Map<string, number>; tokens: string[] } {
  const vocabulary = new Map<string, number>();
  const tokens: string[] = [];
  const add = (token: string, id: number) => {
    if (!(id >= 0 && id <= MAX_ID && Number.isInteger(id))) {
      throw new HfmsError("corrupt_file", `the tokenizer's vocabulary gives "${token}" the id ${id}`);
    }
    vocabulary.set(token, id);
    tokens[id] = token;
  };
  if (Array.isArray(model.vocab)) {
    for (let id = 0; id < model.vocab.length; id++) add(model.vocab[id][0], id);
  } else for (const token in model.vocab) add(token, model.vocab[token]);
  return { vocabulary, tokens };
}

/** Far above any vocabulary; an id this size would make the table of tokens fill the memory. */
const MAX_ID = 2 ** 24;

function createModel(
  config: ModelConfig,
  vocabulary: ReadonlyMap<string, number>,
  tokens: readonly string[],
  byteLevel: boolean,
): TokenModel {
  switch (config.type ?? guessModel(config)) {
    case "BPE":
      return new BytePairModel(config, vocabulary, tokens, byteLevel);
    case "WordPiece":
      return new WordPieceModel(config, vocabulary);
    case "Unigram":
      return new UnigramModel(config, vocabulary);
    case "WordLevel": {
      const unknown = vocabulary.get(config.unk_token ?? "<unk>");
      return {
        encode(word, ids) {
          const id = vocabulary.get(word) ?? unknown;
          if (id !== undefined) ids.push(id);
        },
      };
    }
    default:
      throw new HfmsError("unsupported_model", `the tokenizer's model "${config.type}" is not supported`);
  }
}

/** Files of the first years don't name the model. */
function guessModel(config: ModelConfig): string {
  if (config.merges) return "BPE";
  if (Array.isArray(config.vocab)) return "Unigram";
  return config.continuing_subword_prefix === undefined ? "WordLevel" : "WordPiece";
}

const ROLES = ["bos", "eos", "pad", "unk", "cls", "sep", "mask"] as const;

/**
 * Added tokens of tokenizer.json and of tokenizer_config.json, and the tokens with a role, which transformers makes
 * special ones too. Roles without an id in the vocabulary are dropped: a new id would have no row in the embedding.
 */
function readAddedTokens(
  json: TokenizerJson,
  config: TokenizerConfig,
  vocabulary: ReadonlyMap<string, number>,
): { added: AddedTokenConfig[]; specialTokens: Tokenizer["specialTokens"] } {
  const added = new Map<string, AddedTokenConfig>();
  const add = (token: AddedTokenConfig) => {
    if (
      typeof token.content !== "string" ||
      !Number.isInteger(token.id) ||
      token.id < 0 ||
      token.id > MAX_ID
    ) {
      throw new HfmsError("corrupt_file", `the tokenizer has a wrong added token: ${JSON.stringify(token)}`);
    }
    added.set(token.content, { ...token, normalized: token.normalized ?? !token.special });
  };
  for (const token of json.added_tokens ?? []) add(token);
  for (const [id, token] of Object.entries(config.added_tokens_decoder ?? {})) {
    if (!added.has(token.content)) add({ ...token, id: Number(id) });
  }
  const special = (content: string): boolean => {
    const id = added.get(content)?.id ?? vocabulary.get(content);
    if (id === undefined) return false;
    add({ ...(added.get(content) ?? { content, id, normalized: false }), special: true });
    return true;
  };
  const specialTokens: Tokenizer["specialTokens"] = {};
  for (const role of ROLES) {
    const content = contentOf(config[`${role}_token`]) ?? (role === "unk" ? json.model.unk_token : undefined);
    if (content && special(content)) specialTokens[role] = content;
  }
  const additional = config.additional_special_tokens ?? config.extra_special_tokens;
  for (const token of Array.isArray(additional) ? additional : []) special(contentOf(token) ?? "");
  return { added: [...added.values()], specialTokens };
}
