import { type GenerateEvent, HfmsError, type ReadyEvent } from "../core/index.js";
import type { Answer } from "./answer-document.js";
import { AnswerPrinter, type AnswerStreams } from "./answer-printer.js";
import type { ActivityEvent, ProgressDisplay } from "./progress.js";
import { styled } from "./style.js";
import { formatMilliseconds } from "./units.js";

export interface AnswerView {
  display: ProgressDisplay;
  /** `stream` prints text as it comes, `whole` when everything is there, `none` leaves it to the JSON document. */
  print: "stream" | "whole" | "none";
  verbose?: boolean;
  /** Say what was chosen; by default where `verbose` is on. */
  sayReady?: boolean;
  /** Number of answers that are on their way. */
  answers?: number;
  streams?: AnswerStreams;
}

/**
 * Follows one generation to its end. What the model thinks is shown on stderr: on a terminal, and with `verbose`
 * elsewhere too.
 */
export async function followAnswer(
  events: AsyncIterable<GenerateEvent>,
  { display, print, verbose = false, sayReady = verbose, answers = 1, streams = process }: AnswerView,
): Promise<Answer> {
  const showsReasoning = !display.quiet && (verbose || streams.stderr.isTTY);
  const printer = new AnswerPrinter({ streams, showsReasoning });
  let ready: ReadyEvent | undefined;
  try {
    for await (const event of display.follow(print === "stream" ? events : hidden(events, answers))) {
      if (event.type === "ready") {
        ready = event;
        if (sayReady) display.line(readyLine(event));
      } else if (event.type === "text") {
        await printer.text(event.text);
      } else if (event.type === "reasoning") {
        await printer.reasoning(event.text);
      } else if (ready && event.type === "done") {
        if (print === "stream") await printer.calls(event.choices[0]);
        if (print === "whole") await printer.choices(event.choices);
        return { ready, done: event };
      }
    }
  } finally {
    // Also when the answer breaks off: what follows must not stand on its last line.
    await printer.end();
  }
  throw new HfmsError("internal_error", "the model stopped without an end of its answer");
}

/** In place of answers as they come, how far they are. */
async function* hidden(
  events: AsyncIterable<GenerateEvent>,
  answers: number,
): AsyncGenerator<GenerateEvent | ActivityEvent> {
  let done = 0;
  const what = answers === 1 ? "an answer" : `${answers} answers`;
  for await (const event of events) {
    if (event.type === "text" || event.type === "reasoning") done += event.tokens.length;
    else if (event.type !== "tool_call") {
      yield event;
      continue;
    }
    yield { type: "progress", phase: "answer", what, done, unit: "tokens" };
  }
}

/** "smollm2 (llama) on cpu as int8: …why" for --verbose. */
export function readyLine({
  model,
  modelType,
  device,
  deviceReason,
  dtype,
  dtypeReason,
  kvCacheDtype,
}: ReadyEvent): string {
  const lines = [
    `${model} (${modelType}) on ${device}: ${deviceReason}`,
    `weights as ${dtype}: ${dtypeReason}`,
  ];
  if (kvCacheDtype) lines.push(`keys and values as ${kvCacheDtype}: asked for`);
  return dim(lines.join("\n"));
}

/** Tokens and speeds for --verbose. */
export function timingsLine({ ready, done: { usage, timings, finishReason } }: Answer): string {
  const part = (tokens: number, ms: number, speed: number) =>
    `${tokens} tokens in ${formatMilliseconds(ms)} (${speed.toFixed(1)}/s)`;
  const { drafted_tokens: drafted = 0, accepted_tokens: accepted = 0 } = timings;
  return dim(
    [
      // A model that was there already took no time to load.
      ready.loadMs > 0 ? `load ${formatMilliseconds(timings.load_ms)}` : "",
      `prompt ${part(usage.prompt_tokens, timings.prompt_ms, timings.prompt_per_second)}`,
      usage.cached_tokens > 0 ? `${usage.cached_tokens} of them known` : "",
      `answer ${part(usage.completion_tokens, timings.generate_ms, timings.generate_per_second)}`,
      drafted > 0 ? `${accepted} of ${drafted} guesses right` : "",
      finishReason === "length" ? "cut at the length limit" : "",
    ]
      .filter(Boolean)
      .join(" · "),
  );
}

function dim(text: string): string {
  return styled("dim", text, process.stderr);
}
