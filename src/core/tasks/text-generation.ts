import { HfmsError, throwIfAborted } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type {
  ChatMessage,
  FinishReason,
  GenerateEvent,
  GenerateRequest,
  SamplingParams,
} from "../requests.js";
import { Sampler } from "../runtime/sampler.js";
import { Detokenizer } from "../text/detokenizer.js";
import { StopMatcher } from "../text/stop.js";

/** Yields the text as it comes, then `done`. An abort ends it with `aborted`. */
export async function* generate(
  model: LoadedModel,
  request: GenerateRequest,
  signal?: AbortSignal,
): AsyncGenerator<GenerateEvent> {
  if (model.runner.kind !== "decoder")
    throw new HfmsError("unsupported_task", `${model.manifest.model} makes no text`);
  const { decoder } = model.runner;
  const prompt = await promptTokens(model, request);
  const maxTokens = tokenBudget(prompt.length, decoder.info.contextLength, request);
  const sampler = new Sampler(sampling(request, model.manifest.sampling), {
    prompt,
    stopTokens: model.manifest.stopTokens,
  });
  const detokenizer = new Detokenizer(model.tokenizer, { context: prompt });
  const stops = new StopMatcher(request.stop ?? []);
  const stopTokens = new Set(model.manifest.stopTokens);

  using _turn = await model.turn.take(signal);
  const start = performance.now();
  decoder.truncate(0);
  if (maxTokens > 1) decoder.prepare();
  let logits = await decoder.append(prompt, { signal });
  const promptMs = performance.now() - start;

  const tokens: number[] = [];
  let text = "";
  let unsent: number[] = [];
  let finishReason: FinishReason = "length";
  while (tokens.length < maxTokens) {
    throwIfAborted(signal);
    const { token } = sampler.sample(logits);
    tokens.push(token);
    if (stopTokens.has(token)) {
      finishReason = "stop";
      break;
    }
    unsent.push(token);
    const { text: piece, stopped } = stops.push(detokenizer.push(token));
    if (piece !== "") {
      text += piece;
      yield { type: "text", index: 0, text: piece, tokens: unsent };
      unsent = [];
    }
    if (stopped) {
      finishReason = "stop";
      break;
    }
    if (tokens.length < maxTokens) logits = await decoder.append([token], { signal });
  }
  if (!stops.stopped) {
    const rest = stops.push(detokenizer.flush());
    const last = rest.text + (rest.stopped ? "" : stops.flush());
    if (rest.stopped) finishReason = "stop";
    if (last !== "") {
      text += last;
      yield { type: "text", index: 0, text: last, tokens: unsent };
    }
  }
  const generateMs = performance.now() - start - promptMs;
  yield {
    type: "done",
    text,
    tokens,
    finishReason,
    choices: [{ index: 0, text, tokens, finishReason }],
    usage: {
      prompt_tokens: prompt.length,
      completion_tokens: tokens.length,
      total_tokens: prompt.length + tokens.length,
      cached_tokens: 0,
    },
    timings: {
      load_ms: model.ready.loadMs,
      queue_ms: 0,
      prompt_ms: promptMs,
      generate_ms: generateMs,
      prompt_per_second: rate(prompt.length, promptMs),
      // The first token comes out of the prompt's own run.
      generate_per_second: rate(tokens.length - 1, generateMs),
    },
  };
}

async function promptTokens(
  { tokenizer, textDirectory, manifest }: LoadedModel,
  request: GenerateRequest,
): Promise<number[]> {
  const { prompt, system, raw } = request;
  if (prompt.length === 0) {
    throw new HfmsError("empty_input", "the prompt is empty", {
      param: "prompt",
      hint: "say what the model shall continue",
    });
  }
  if (!raw) {
    const { encodeChat, loadChatTemplate } = await import("../text/chat-template.js");
    const template = await loadChatTemplate(textDirectory);
    if (template.hasTemplate) return encodeChat(tokenizer, template, conversation(prompt, system));
  }
  if (typeof prompt !== "string" || system !== undefined) {
    throw new HfmsError(
      "invalid_request",
      `${manifest.model} has no chat template: it takes a text to continue`,
      {
        hint: raw ? "leave out --raw" : "give one prompt without a system message, or use an instruct model",
        param: system === undefined ? "prompt" : "system",
      },
    );
  }
  const tokens = tokenizer.encode(prompt, { addSpecialTokens: true });
  if (tokens.length === 0)
    throw new HfmsError("empty_input", "the prompt has no tokens", { param: "prompt" });
  return tokens;
}

function conversation(prompt: string | ChatMessage[], system: string | undefined): ChatMessage[] {
  const messages: ChatMessage[] = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
  return system === undefined ? messages : [{ role: "system", content: system }, ...messages];
}

/** How many tokens may follow. The context length is a hard bound, and asking for more is an error, not a cut. */
function tokenBudget(promptLength: number, contextLength: number, { maxTokens }: GenerateRequest): number {
  if (maxTokens !== undefined && !(Number.isInteger(maxTokens) && maxTokens > 0)) {
    throw new HfmsError("invalid_request", `maxTokens is ${maxTokens}; it must be a whole number above 0`, {
      param: "maxTokens",
    });
  }
  const left = contextLength - promptLength;
  if (left < 1) {
    throw new HfmsError(
      "context_length_exceeded",
      `the prompt has ${promptLength} tokens; the model's context is ${contextLength}, answer included`,
      { hint: "shorten the prompt, or use a model with a longer context", param: "prompt" },
    );
  }
  if (maxTokens !== undefined && maxTokens > left) {
    throw new HfmsError(
      "context_length_exceeded",
      `the prompt has ${promptLength} tokens and ${maxTokens} more were asked for; the model's context is ${contextLength}`,
      { hint: `ask for at most ${left}, or leave the number out to use what is left`, param: "maxTokens" },
    );
  }
  return maxTokens ?? left;
}

/** What the request says goes before what the model's authors chose. */
function sampling(request: GenerateRequest, defaults: SamplingParams): SamplingParams {
  const own = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
  return { ...defaults, ...own };
}

function rate(count: number, ms: number): number {
  return count > 0 && ms > 0 ? (count * 1000) / ms : 0;
}
