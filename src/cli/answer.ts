import { type GenerateEvent, HfmsError, type ReadyEvent } from "../core/index.js";
import type { ProgressDisplay } from "./progress.js";
import { styled } from "./style.js";
import { formatMilliseconds } from "./units.js";

export type DoneEvent = Extract<GenerateEvent, { type: "done" }>;

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
  output: { text: string; tokens: number[]; finish_reason: string };
  usage: DoneEvent["usage"];
  timings: DoneEvent["timings"];
}

/** Follows one generation to its end. `print` gets the text as it comes. */
export async function followAnswer(
  events: AsyncIterable<GenerateEvent>,
  {
    display,
    print,
    verbose,
  }: { display: ProgressDisplay; print?: (text: string) => Promise<void>; verbose?: boolean },
): Promise<Answer> {
  let ready: ReadyEvent | undefined;
  let last = "";
  try {
    for await (const event of display.follow(events)) {
      if (event.type === "ready") {
        ready = event;
        if (verbose) display.line(readyLine(event));
      } else if (event.type === "text") {
        last = event.text || last;
        await print?.(event.text);
      } else if (ready && event.type === "done") {
        return { ready, done: event };
      }
    }
  } finally {
    // Also when the answer breaks off: what follows must not stand on its last line.
    if (last !== "" && !last.endsWith("\n")) await print?.("\n");
  }
  throw new HfmsError("internal_error", "the model stopped without an end of its answer");
}

export function answerDocument({ ready, done }: Answer): AnswerDocument {
  return {
    model: ready.model,
    revision: ready.revision,
    task: ready.task,
    device: ready.device,
    dtype: ready.dtype,
    output: { text: done.text, tokens: done.tokens, finish_reason: done.finishReason },
    usage: done.usage,
    timings: done.timings,
  };
}

/** "smollm2 (llama) on cpu as int8: …why" for --verbose. */
export function readyLine({
  model,
  modelType,
  device,
  deviceReason,
  dtype,
  dtypeReason,
}: ReadyEvent): string {
  return dim(`${model} (${modelType}) on ${device}: ${deviceReason}\nweights as ${dtype}: ${dtypeReason}`);
}

/** Tokens and speeds for --verbose. */
export function timingsLine({ usage, timings, finishReason }: DoneEvent): string {
  const part = (tokens: number, ms: number, speed: number) =>
    `${tokens} tokens in ${formatMilliseconds(ms)} (${speed.toFixed(1)}/s)`;
  return dim(
    [
      `load ${formatMilliseconds(timings.load_ms)}`,
      `prompt ${part(usage.prompt_tokens, timings.prompt_ms, timings.prompt_per_second)}`,
      `answer ${part(usage.completion_tokens, timings.generate_ms, timings.generate_per_second)}`,
      finishReason === "length" ? "cut at the length limit" : "",
    ]
      .filter(Boolean)
      .join(" · "),
  );
}

function dim(text: string): string {
  return styled("dim", text, process.stderr);
}
