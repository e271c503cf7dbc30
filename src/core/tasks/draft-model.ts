import { HfmsError } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { GenerationRequest } from "../scheduler/generation-sequence.js";
import { ModelDrafter } from "../scheduler/model-drafter.js";
import type { Tokenizer } from "../text/types.js";

/** Guesses with a smaller model for a larger one. Throws invalid_request when their tokens don't mean the same. */
export function drafterOf(draft: LoadedModel, model: LoadedModel): GenerationRequest["drafter"] {
  if (draft.runner.kind !== "decoder")
    throw new HfmsError("unsupported_task", `${draft.manifest.model} makes no text`, { param: "draftModel" });
  const { decoder } = draft.runner;
  const sizes = [draft, model].map(({ manifest }) => manifest.info.vocabularySize);
  if (sizes[0] !== sizes[1] || !sameVocabulary(draft.tokenizer, model.tokenizer)) {
    throw new HfmsError(
      "invalid_request",
      `${draft.manifest.model} has another vocabulary than ${model.manifest.model}: it can't guess its tokens`,
      { hint: "take a smaller model of the same family", param: "draftModel" },
    );
  }
  return (costs) => new ModelDrafter(decoder, costs);
}

function sameVocabulary(a: Tokenizer, b: Tokenizer): boolean {
  if (a.vocabularySize !== b.vocabularySize) return false;
  for (let id = 0; id < a.vocabularySize; id++) if (a.idToToken(id) !== b.idToToken(id)) return false;
  return true;
}
