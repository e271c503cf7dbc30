import { z } from "zod";
import type { GenerateRequest } from "../../../core/index.js";

/** Fields that several operations of this dialect have, their limits, and what the engine makes of them. */

const MAX_NAME = 512;
const MAX_STOPS = 16;
const MAX_STOP_LENGTH = 1024;
const MAX_BIASES = 1024;
/** As many answers as the engine makes of one request. */
const MAX_ANSWERS = 64;
export const MAX_COUNT = 2 ** 31 - 1;
const MAX_PRIORITY = 1000;
const MAX_CALLER_TEXT = 1024;
const MAX_METADATA = 64;
const MAX_SEED = 2 ** 63;
const MAX_CODE = 64;
/** As many as the engine follows. */
const MAX_BEAMS = 64;
const DURATION = 'must be seconds or a duration such as "5m", at most 365 days';

/** A field that may be left out; null counts as absent. */
export function optional<T extends z.ZodType>(schema: T) {
  return schema.nullish().transform((value) => value ?? undefined);
}

/**
 * A field of the original that hfms does not have: absent, null and the `neutral` values pass, others are refused with
 * the hint, a fragment that says what to do instead.
 */
export function unsupported(hint: string, ...neutral: unknown[]) {
  const passes = new Set([undefined, null, ...neutral].map((value) => JSON.stringify(value)));
  return z
    .unknown()
    .optional()
    .refine((value) => passes.has(JSON.stringify(value)), { error: `not supported here: ${hint}` })
    .describe(`Not supported: ${hint}.`);
}

export const modelName = z
  .string()
  .min(1)
  .max(MAX_NAME)
  .describe("A skill, an alias, or a model of the Hub: `org/name[@revision][:quantization]`.");

export const count = z.int().min(1).max(MAX_COUNT);

export const n = optional(z.int().min(1).max(MAX_ANSWERS)).describe("How many answers.");

export const seed = optional(
  z
    .number()
    .min(-MAX_SEED)
    .max(MAX_SEED)
    .refine((value) => Number.isInteger(value), { error: "must be a whole number" }),
).describe("The same seed gives the same answer. -1 is none.");

const stopText = z.string().min(1).max(MAX_STOP_LENGTH);

export const samplingFields = {
  temperature: optional(z.number().min(0).max(2)),
  top_p: optional(z.number().min(0).max(1)),
  frequency_penalty: optional(z.number().min(-2).max(2)),
  presence_penalty: optional(z.number().min(-2).max(2)),
  logit_bias: optional(
    z
      .record(z.string().regex(/^\d{1,10}$/), z.number().min(-100).max(100))
      .refine((biases) => Object.keys(biases).length <= MAX_BIASES, {
        error: `must not have more than ${MAX_BIASES} tokens`,
      }),
  ).describe("Added to the logits, by token id."),
  seed,
  stop: optional(
    z.union([stopText, z.array(stopText).max(MAX_STOPS)], {
      error: `must be a text or a list of at most ${MAX_STOPS}`,
    }),
  ).describe("Texts that end the answer and are not part of it."),
  top_k: optional(z.int().min(-1).max(MAX_COUNT)).describe("Extension. 0 and -1 keep all tokens."),
  min_p: optional(z.number().min(0).max(1)).describe("Extension."),
  typical_p: optional(z.number().gt(0).max(1)).describe("Extension."),
  repetition_penalty: optional(z.number().gt(0).max(100)).describe("Extension. 1 is off."),
  min_tokens: optional(z.int().min(0).max(MAX_COUNT)).describe(
    "Extension: tokens that must come before one that ends the answer.",
  ),
  ignore_eos: optional(z.boolean()).describe("Extension: go on behind tokens that end an answer."),
};

const code = z.string().min(1).max(MAX_CODE);

/** How a model with an encoder answers a text: it translates, or sums up. */
export const sourceTextFields = {
  source_language: optional(code).describe(
    "Extension: the text's language, as the model writes it: eng_Latn.",
  ),
  target_language: optional(code).describe("Extension: the answer's language."),
  text_task: optional(code).describe(
    "Extension: a task that config.json has settings for, like summarization.",
  ),
  beams: optional(z.int().min(1).max(MAX_BEAMS)).describe(
    "Extension: follow so many answers side by side and give the likeliest. 1 is no search.",
  ),
  length_penalty: optional(z.number().min(-100).max(100)).describe(
    "Extension: of a search, above 0 longer answers gain, below 0 shorter ones.",
  ),
  no_repeat_ngram_size: optional(z.int().min(0).max(MAX_COUNT)).describe(
    "Extension: no sequence of so many tokens comes twice. 0 lets any.",
  ),
};

/** How a model is kept and a request is put in line: extensions. */
export const schedulingFields = {
  keep_alive: optional(
    z.union([z.string().max(32), z.number()], { error: DURATION }).transform(milliseconds),
  ).describe('Extension, as Ollama has it: how long the model stays in memory: "5m", seconds, -1 for ever.'),
  priority: optional(z.int().min(-MAX_PRIORITY).max(MAX_PRIORITY)).describe(
    "Extension: of requests that wait, higher ones go first. Default 0.",
  ),
  deterministic: optional(z.boolean()).describe(
    "Extension: the same tokens whatever else is being answered. A seed implies it.",
  ),
};

export const streamFields = {
  stream: optional(z.boolean()),
  stream_options: optional(
    z.object({
      include_usage: optional(z.boolean()),
      include_obfuscation: optional(z.boolean()).describe("Nothing is ever padded."),
    }),
  ),
};

/** What callers say of themselves: accepted, and of no effect. */
export const callerFields = {
  user: optional(z.string().max(MAX_CALLER_TEXT)),
  safety_identifier: optional(z.string().max(MAX_CALLER_TEXT)),
  prompt_cache_key: optional(z.string().max(MAX_CALLER_TEXT)),
  prompt_cache_retention: optional(z.string().max(MAX_CALLER_TEXT)),
  metadata: optional(
    z
      .record(z.string().max(MAX_CALLER_TEXT), z.string().max(MAX_CALLER_TEXT))
      .refine((metadata) => Object.keys(metadata).length <= MAX_METADATA, {
        error: `must not have more than ${MAX_METADATA} entries`,
      }),
  ),
  service_tier: unsupported("there is one tier; leave it out", "auto", "default"),
};

/** Refuses stream_options where nothing is streamed, as the original does. */
export function checkStreamOptions(
  { stream, stream_options }: { stream?: boolean; stream_options?: object },
  context: z.RefinementCtx,
): void {
  if (!stream_options || stream) return;
  context.addIssue({
    code: "custom",
    path: ["stream_options"],
    message: "is only allowed when `stream` is true",
  });
}

/** The engine's words for the fields above. What is left out is what the model's authors chose. */
export function samplingOf(body: SamplingBody): Partial<GenerateRequest> {
  const { stop, seed: given, top_p: topP, top_k: topK } = body;
  const request: Partial<GenerateRequest> = {
    temperature: body.temperature,
    // The original takes 0, and then only the likeliest token is left.
    topP: topP === 0 ? Number.EPSILON : topP,
    topK: topK === -1 ? 0 : topK,
    minP: body.min_p,
    typicalP: body.typical_p,
    repetitionPenalty: body.repetition_penalty,
    frequencyPenalty: body.frequency_penalty,
    presencePenalty: body.presence_penalty,
    logitBias: body.logit_bias,
    // vLLM and llama.cpp have -1 for none; the engine's seeds are not negative.
    seed: given === undefined || given === -1 ? undefined : Number(BigInt.asUintN(53, BigInt(given))),
    stop: typeof stop === "string" ? [stop] : stop,
    minTokens: body.min_tokens,
    ignoreEos: body.ignore_eos,
    keepAlive: body.keep_alive,
    priority: body.priority,
    deterministic: body.deterministic,
  };
  for (const key of Object.keys(request) as (keyof GenerateRequest)[])
    if (request[key] === undefined) delete request[key];
  return request;
}

/** The engine's words for the fields of models with an encoder. */
export function sourceTextOf(body: SourceTextBody): Partial<GenerateRequest> {
  return {
    sourceLanguage: body.source_language,
    targetLanguage: body.target_language,
    textTask: body.text_task,
    beams: body.beams,
    lengthPenalty: body.length_penalty,
    noRepeatNgramSize: body.no_repeat_ngram_size,
  };
}

const sourceTextBody = z.object(sourceTextFields);
type SourceTextBody = Partial<z.infer<typeof sourceTextBody>>;
const samplingBody = z.object({ ...samplingFields, ...schedulingFields });
type SamplingBody = Partial<z.infer<typeof samplingBody>>;

const units: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const MAX_KEEP_ALIVE = 365 * units.d;

/** A duration as Ollama writes it ("1h30m", "-1"), or seconds; below 0 is for ever. */
function milliseconds(value: string | number, context: z.RefinementCtx): number {
  const text = String(value).trim();
  const parts = [...text.replace(/^-/, "").matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)];
  const whole = parts.map(([part]) => part).join("") === text.replace(/^-/, "") && parts.length > 0;
  const seconds = text === "" ? Number.NaN : Number(text);
  let ms = seconds * 1000;
  if (whole) {
    ms = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * units[unit], 0);
    if (text.startsWith("-")) ms = -ms;
  }
  if (Number.isNaN(ms) || ms > MAX_KEEP_ALIVE) {
    context.addIssue({
      code: "custom",
      message: DURATION,
    });
    return z.NEVER;
  }
  return ms < 0 ? -1 : ms;
}
