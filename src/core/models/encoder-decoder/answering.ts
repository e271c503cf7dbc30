import { z } from "zod";
import { parseWith } from "../config.js";

/** How an encoder-decoder answers where a request says nothing else. Lengths count the decoder's tokens, `start` too. */
export interface Answering {
  /** The decoder begins with it. */
  start: number;
  /** Hypotheses that are followed side by side; 1 is no search. */
  beams: number;
  /** A finished hypothesis counts its log probability divided by its length to this power. */
  lengthPenalty: number;
  /** `true`: the search ends with as many finished hypotheses as there are beams. */
  earlyStopping: boolean | "never";
  minLength?: number;
  minNewTokens?: number;
  maxLength?: number;
  maxNewTokens?: number;
  /** No sequence of this many tokens comes twice; `encoder…`: or out of the source text. */
  noRepeatNgramSize?: number;
  encoderNoRepeatNgramSize?: number;
  /** The first token, and the last one where the answer is cut. */
  forcedFirst?: number;
  forcedLast?: number[];
  /** Sequences of tokens that never come. */
  badWords?: number[][];
  suppress?: number[];
  /** Of the first token. */
  suppressFirst?: number[];
  /** Scores are made log probabilities again after tokens were taken away. */
  renormalize?: boolean;
  repetitionPenalty?: number;
}

/** What a task of config.json's `task_specific_params` changes: words before the text, and the above. */
export interface AnsweringTask extends Partial<Answering> {
  prefix?: string;
}

const token = z.int().nonnegative();
const size = z.int().nonnegative();

/**
 * generation_config.json's fields (transformers, generation/configuration_utils.py), those of search and of what tokens
 * may come. Fields that would give other answers and are not built may only be off.
 */
const fields = z.looseObject({
  decoder_start_token_id: token.nullish(),
  num_beams: z.int().min(1).max(64).nullish(),
  length_penalty: z.number().nullish(),
  early_stopping: z.union([z.boolean(), z.literal("never")]).nullish(),
  min_length: size.nullish(),
  min_new_tokens: size.nullish(),
  max_length: size.nullish(),
  max_new_tokens: size.nullish(),
  no_repeat_ngram_size: size.nullish(),
  encoder_no_repeat_ngram_size: size.nullish(),
  forced_bos_token_id: token.nullish(),
  forced_eos_token_id: z.union([token, z.array(token)]).nullish(),
  bad_words_ids: z.array(z.array(token).min(1)).nullish(),
  suppress_tokens: z.array(token).nullish(),
  begin_suppress_tokens: z.array(token).nullish(),
  renormalize_logits: z.boolean().nullish(),
  repetition_penalty: z.number().positive().nullish(),
  num_beam_groups: z.literal(1).nullish(),
  diversity_penalty: z.literal(0).nullish(),
  encoder_repetition_penalty: z.literal(1).nullish(),
  exponential_decay_length_penalty: z.null().optional(),
  guidance_scale: z.literal(1).nullish(),
  sequence_bias: z.null().optional(),
  prefix: z.string().nullish(),
});

/**
 * @param generation generation_config.json, or where there is none config.json with the model_type's defaults
 */
export function readAnswering(generation: Record<string, unknown>): Answering {
  const known = partOf(generation);
  const { beams = 1, lengthPenalty = 1, earlyStopping = false } = known;
  // As transformers looks for it; T5 begins with the padding token.
  const starts = [known.start, generation.bos_token_id, generation.pad_token_id, 0];
  const start = starts.find((id) => typeof id === "number") as number;
  return { ...known, start, beams, lengthPenalty, earlyStopping };
}

/** config.json's `task_specific_params`. */
export function readTasks(config: Record<string, unknown>): Record<string, AnsweringTask> {
  const { task_specific_params: tasks } = config;
  if (typeof tasks !== "object" || tasks === null) return {};
  const entries = Object.entries(tasks).filter(([, task]) => typeof task === "object" && task !== null);
  return Object.fromEntries(
    entries.map(([name, task]: [string, Record<string, unknown>]) => {
      const { prefix } = parseWith(fields, task);
      return [name, { ...partOf(task), ...(prefix && { prefix }) }];
    }),
  );
}

/** The fields that are there; what is off is left out. */
function partOf(raw: Record<string, unknown>): Partial<Answering> {
  const config = parseWith(fields, raw);
  const forcedLast = config.forced_eos_token_id;
  const all: Partial<Record<keyof Answering, unknown>> = {
    start: config.decoder_start_token_id,
    beams: config.num_beams,
    lengthPenalty: config.length_penalty,
    earlyStopping: config.early_stopping,
    minLength: config.min_length || undefined,
    minNewTokens: config.min_new_tokens || undefined,
    maxLength: config.max_length || undefined,
    maxNewTokens: config.max_new_tokens || undefined,
    noRepeatNgramSize: config.no_repeat_ngram_size || undefined,
    encoderNoRepeatNgramSize: config.encoder_no_repeat_ngram_size || undefined,
    forcedFirst: config.forced_bos_token_id,
    forcedLast: typeof forcedLast === "number" ? [forcedLast] : forcedLast,
    badWords: config.bad_words_ids,
    suppress: config.suppress_tokens,
    suppressFirst: config.begin_suppress_tokens,
    renormalize: config.renormalize_logits || undefined,
    repetitionPenalty: config.repetition_penalty === 1 ? undefined : config.repetition_penalty,
  };
  const known = Object.entries(all).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(known) as Partial<Answering>;
}
