import type { Choice, GenerateEvent, ReadyEvent } from "../core/index.js";

export type DoneEvent = Extract<GenerateEvent, { type: "done" }>;

/** One generation from its start to its end. */
export interface Answer {
  ready: ReadyEvent;
  done: DoneEvent;
}

/** What `run --json` and `chat --json` print. */
export interface AnswerDocument {
  model: string;
  revision: string;
  task: string;
  device: string;
  dtype: string;
  /** Number format of keys and values; absent: fp32. */
  kv_cache_dtype?: string;
  /** The answer, and the best or first one of several. */
  output: AnswerOutput;
  /** All of them, where several were asked for. */
  choices?: ({ index: number } & AnswerOutput)[];
  usage: DoneEvent["usage"];
  timings: DoneEvent["timings"];
}

interface AnswerOutput {
  text: string;
  tokens: number[];
  finish_reason: string;
  stop?: string;
  reasoning?: string;
  tool_calls?: CallDocument[];
  logprobs?: Choice["logprobs"];
}

/** A call with its arguments as an object; as the text that came, where the answer broke off inside of them. */
export interface CallDocument {
  id: string;
  name: string;
  arguments: unknown;
}

export function answerDocument({ ready, done }: Answer): AnswerDocument {
  const { choices } = done;
  return {
    model: ready.model,
    revision: ready.revision,
    task: ready.task,
    device: ready.device,
    dtype: ready.dtype,
    kv_cache_dtype: ready.kvCacheDtype,
    output: answerOutput(choices[0]),
    choices:
      choices.length > 1
        ? choices.map((choice) => ({ index: choice.index, ...answerOutput(choice) }))
        : undefined,
    usage: done.usage,
    timings: done.timings,
  };
}

/** The calls that an answer asks for. */
export function callDocuments({ toolCalls }: Choice): CallDocument[] {
  return (toolCalls ?? []).map(({ id, name, arguments: text }) => ({ id, name, arguments: parsed(text) }));
}

function answerOutput(choice: Choice): AnswerOutput {
  return {
    text: choice.text,
    tokens: choice.tokens,
    finish_reason: choice.finishReason,
    stop: choice.stop,
    reasoning: choice.reasoning,
    tool_calls: choice.toolCalls && callDocuments(choice),
    logprobs: choice.logprobs,
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
