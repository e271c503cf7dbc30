import { throwIfAborted } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { DetokenizeEvent, DetokenizeRequest, TokenizeEvent, TokenizeRequest } from "../requests.js";
import { readPrompt } from "./prompt.js";
import { checkTokenIds } from "./token-ids.js";

/** Yields the token ids of each text, in the order of the texts. */
export async function* tokenize(
  model: LoadedModel,
  { texts, addSpecialTokens = true, words, tools, templateVariables }: TokenizeRequest,
  signal?: AbortSignal,
): AsyncGenerator<TokenizeEvent> {
  const { tokenizer, manifest } = model;
  for (const [index, text] of texts.entries()) {
    throwIfAborted(signal);
    const ids =
      typeof text === "string"
        ? tokenizer.encode(text, { addSpecialTokens })
        : (await readPrompt(model, { model: manifest.model, prompt: text, tools, templateVariables })).tokens;
    yield {
      type: "tokens",
      index,
      ids,
      ...(words && { words: ids.map((id) => tokenizer.idToToken(id) ?? "") }),
    };
  }
}

/** Yields the text of each list of token ids, in their order. */
export async function* detokenize(
  { tokenizer, manifest }: LoadedModel,
  { tokens, skipSpecialTokens = false }: DetokenizeRequest,
  signal?: AbortSignal,
): AsyncGenerator<DetokenizeEvent> {
  const vocabularySize = Math.max(tokenizer.vocabularySize, manifest.info.vocabularySize);
  for (const [index, ids] of tokens.entries()) {
    throwIfAborted(signal);
    if (ids.length > 0) checkTokenIds(ids, { vocabularySize, what: "the text", param: "tokens" });
    yield { type: "detokenized", index, text: tokenizer.decode(ids, { skipSpecialTokens }) };
  }
}
