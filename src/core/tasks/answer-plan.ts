import { HfmsError } from "../errors.js";
import type { GraphManifest } from "../graph-store.js";
import type { Answering } from "../models/encoder-decoder/answering.js";
import type { EncoderDecoderInfo } from "../models/types.js";
import type { GenerateRequest, SamplingParams } from "../requests.js";
import type { BeamSearchOptions } from "../runtime/beam-search.js";
import { tokenRules } from "../runtime/token-rules.js";

/** How an encoder-decoder answers one request. With one beam, tokens are sampled by `params`. */
export interface AnswerPlan extends Omit<BeamSearchOptions, "logprobs"> {
  params: SamplingParams;
}

/** New tokens, where neither the request nor the model's authors say how many. */
const USUAL_TOKENS = 512;
const MOST_BEAMS = 64;

/**
 * What the request says goes before what the model's authors chose (generation_config.json), and that before
 * transformers' defaults.
 *
 * @param source the text's tokens; own: what its language or task changes
 */
export function answerPlan(
  manifest: GraphManifest,
  request: GenerateRequest,
  { source, own }: { source: readonly number[]; own: Partial<Answering> },
): AnswerPlan {
  const info = manifest.info as EncoderDecoderInfo;
  const settings = { ...(manifest.answering as Answering), ...own };
  const given = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
  const params: SamplingParams = {
    ...manifest.sampling,
    repetitionPenalty: settings.repetitionPenalty,
    ...given,
  };
  const maxTokens = tokensOf(request, settings, info.answerLength - 1);
  const fewest = Math.max((settings.minLength ?? 0) - 1, settings.minNewTokens ?? 0);
  params.minTokens = request.minTokens ?? (fewest > 0 ? fewest : undefined);
  const { stopTokens } = manifest;
  const beams = beamsOf(request, params, settings.beams);
  const { noRepeatNgramSize = settings.noRepeatNgramSize, lengthPenalty = settings.lengthPenalty } = request;
  requireNumber("noRepeatNgramSize", noRepeatNgramSize, (n) => Number.isInteger(n) && n >= 0);
  requireNumber("lengthPenalty", lengthPenalty, Number.isFinite);
  return {
    ...settings,
    lengthPenalty,
    beams,
    maxTokens,
    params,
    stopTokens: new Set(request.ignoreEos ? [] : stopTokens),
    rules: tokenRules({
      ...settings,
      noRepeatNgramSize,
      source,
      stopTokens,
      // A sampler holds back what ends an answer by itself.
      minLength: beams > 1 && params.minTokens && !request.ignoreEos ? params.minTokens + 1 : 0,
      maxLength: maxTokens + 1,
    }),
  };
}

/** How many tokens may follow the decoder's first one. */
function tokensOf({ maxTokens }: GenerateRequest, settings: Answering, most: number): number {
  requireNumber("maxTokens", maxTokens, (n) => Number.isInteger(n) && n > 0);
  if (maxTokens !== undefined && maxTokens > most) {
    throw new HfmsError(
      "context_length_exceeded",
      `${maxTokens} tokens were asked for; the model answers in ${most} at most`,
      { hint: "leave the number out, and the model's own limit counts", param: "maxTokens" },
    );
  }
  const { maxNewTokens, maxLength } = settings;
  const usual = maxNewTokens ?? (maxLength === undefined ? USUAL_TOKENS : Math.max(1, maxLength - 1));
  return maxTokens ?? Math.min(usual, most);
}

/** Sampling and a search exclude each other: an explicit wish counts, then sampling, then the model's authors. */
function beamsOf(request: GenerateRequest, params: SamplingParams, usual: number): number {
  const { beams, format, n = 1, bestOf = n } = request;
  requireNumber("beams", beams, (count) => Number.isInteger(count) && count >= 1 && count <= MOST_BEAMS);
  const others: Record<string, boolean> = {
    temperature: (params.temperature ?? 0) > 0 && params.topK !== 1,
    frequencyPenalty: (params.frequencyPenalty ?? 0) !== 0,
    presencePenalty: (params.presencePenalty ?? 0) !== 0,
    logitBias: Object.keys(params.logitBias ?? {}).length > 0,
    format: format !== undefined,
  };
  const other = Object.keys(others).find((name) => others[name]);
  if (beams === undefined) return other || usual === 1 ? 1 : Math.max(usual, bestOf);
  if (beams === 1) return 1;
  if (other) {
    throw new HfmsError("invalid_request", `a search with ${beams} beams and ${other} don't go together`, {
      hint: `leave out ${other}, or beams`,
      param: "beams",
    });
  }
  if (bestOf > beams) {
    throw new HfmsError("invalid_request", `${beams} beams can't give ${bestOf} answers`, {
      hint: "ask for as many beams as answers",
      param: "beams",
    });
  }
  return beams;
}

function requireNumber(param: string, value: number | undefined, fits: (value: number) => boolean): void {
  if (value === undefined || fits(value)) return;
  const says: Record<string, string> = {
    maxTokens: "a whole number above 0",
    beams: `a whole number from 1 to ${MOST_BEAMS}`,
    noRepeatNgramSize: "a whole number of at least 0",
    lengthPenalty: "a number",
  };
  throw new HfmsError("invalid_request", `${param} is ${value}; it must be ${says[param]}`, { param });
}
