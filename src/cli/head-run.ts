import {
  type Aggregation,
  type AnswerQuestionsEvent,
  type ClassifyEvent,
  type ClassifyTokensEvent,
  type Engine,
  type Entity,
  type Filling,
  type FillMasksEvent,
  HfmsError,
  type LabelScore,
  type ModelChoice,
  type ReadyEvent,
  type SpanAnswer,
} from "../core/index.js";
import { readyLine } from "./answer.js";
import { writeAnswer } from "./output.js";
import type { ProgressDisplay } from "./progress.js";

/** What `run --json` prints of a model that makes no text. */
export interface HeadDocument {
  model: string;
  revision: string;
  task: string;
  device: string;
  dtype: string;
  /** Labels, entities or answers, best first or in the text's order; for a mask tokens, for several masks lists of them. */
  output: LabelScore[] | Entity[] | SpanAnswer[] | Filling[] | Filling[][];
  usage: Record<string, number>;
  timings: Record<string, number>;
}

/** What `run` was given. */
export interface HeadInput {
  /** All of it, as one text. */
  prompt: string;
  /** The words of the command line. */
  words: string;
  context?: string;
  topK?: number;
  aggregation?: Aggregation;
}

type HeadEvent = ClassifyEvent | ClassifyTokensEvent | AnswerQuestionsEvent | FillMasksEvent;
type Result = Extract<HeadEvent, { index: number }>;

/** A task that `run` has an answer to, though no text is generated. */
interface HeadTask {
  /** What the model does instead of generating. */
  does: string;
  /** Flags that mean something to it, besides those of every model. */
  flags: string[];
  run(engine: Engine, choice: ModelChoice, input: HeadInput, signal: AbortSignal): AsyncIterable<HeadEvent>;
}

const headTasks: Record<string, HeadTask> = {
  "text-classification": {
    does: "says which labels fit",
    flags: ["top-k"],
    run: (engine, choice, { prompt, topK }, signal) =>
      engine.classify({ ...choice, input: [prompt], topK }, signal),
  },
  "token-classification": {
    does: "finds entities",
    flags: ["aggregation"],
    run: (engine, choice, { prompt, aggregation }, signal) => {
      const stride = aggregation === "none" ? undefined : WINDOW_OVERLAP;
      return engine.classifyTokens({ ...choice, input: [prompt], aggregation, stride }, signal);
    },
  },
  "question-answering": {
    does: "finds answers in a text",
    flags: ["top-k", "context"],
    run: (engine, choice, input, signal) =>
      engine.answerQuestions({ ...choice, input: [questionOf(input)], topK: input.topK }, signal),
  },
  "fill-mask": {
    does: "fills masks",
    flags: ["top-k"],
    run: (engine, choice, { prompt, topK }, signal) =>
      engine.fillMasks({ ...choice, input: [prompt], topK }, signal),
  },
};

/** Tokens that windows over a long text have in common, so that no entity falls between two. */
const WINDOW_OVERLAP = 32;

const commonFlags = "file verbose json quiet debug dtype device require-device revision source".split(" ");

/**
 * The task of a model that failed to generate because it was made for something else; undefined where `run` has nothing
 * for it. What a model was made for stands in its files, which are here only after the attempt.
 */
export async function headTaskOf(
  engine: Engine,
  choice: ModelChoice,
  failure: unknown,
): Promise<string | undefined> {
  if (!(failure instanceof HfmsError) || failure.code !== "unsupported_task") return undefined;
  const preparing = engine.prepare(choice);
  let step = await preparing.next();
  while (!step.done) step = await preparing.next();
  const [task] = step.value.tasks;
  return Object.hasOwn(headTasks, task) ? task : undefined;
}

/** Refuses flags that mean nothing to a model of the task. */
export function refuseOtherFlags(given: string[], { task, model }: { task: string; model: string }): void {
  const { flags, does } = headTasks[task];
  const flag = given.find((name) => !commonFlags.includes(name) && !flags.includes(name));
  if (flag === undefined) return;
  throw new HfmsError("invalid_request", `--${flag} means nothing here; ${model} ${does}`, {
    hint: `leave --${flag} out`,
    param: flag,
  });
}

/** Does the task and prints a line for each result, its score first. */
export async function runHead(
  engine: Engine,
  { task, choice, input }: { task: string; choice: ModelChoice; input: HeadInput },
  view: { display: ProgressDisplay; print: boolean; verbose?: boolean; signal: AbortSignal },
): Promise<HeadDocument> {
  const { display, print, verbose, signal } = view;
  let ready: ReadyEvent | undefined;
  let output: HeadDocument["output"] = [];
  const events = headTasks[task].run(engine, choice, input, signal);
  for await (const event of display.follow(withoutNotices(events))) {
    if (event.type === "ready") {
      ready = event;
      if (verbose) display.line(readyLine(event));
    } else if (event.type !== "done") {
      output = outputOf(event);
      if (print) await writeAnswer(linesOf(event).join(""));
    } else if (ready) {
      const { model, revision, device, dtype } = ready;
      const { usage, timings } = event;
      return { model, revision, task, device, dtype, output, usage: { ...usage }, timings: { ...timings } };
    }
  }
  throw new HfmsError("internal_error", "the model stopped without an end of its answer");
}

function questionOf({ prompt, words, context }: HeadInput): { question: string; context: string } {
  if (context !== undefined) return { question: prompt, context };
  if (words !== "" && prompt.startsWith(`${words}\n`))
    return { question: words, context: prompt.slice(words.length + 1) };
  throw new HfmsError("invalid_request", "there is no text to find the answer in", {
    hint: "give it with --context or --file",
    param: "context",
  });
}

function outputOf(event: Result): HeadDocument["output"] {
  switch (event.type) {
    case "classification":
      return event.labels;
    case "entities":
      return event.entities;
    case "span":
      return event.answers;
    case "fillings":
      return event.masks.length === 1 ? event.masks[0] : event.masks;
  }
}

function linesOf(event: Result): string[] {
  switch (event.type) {
    case "classification":
      return event.labels.map(({ score, label }) => scoreLine(score, label));
    case "entities":
      return event.entities.map(({ score, label, start, end, word }) =>
        scoreLine(score, `${label}\t${start}-${end}\t${oneLine(word)}`),
      );
    case "span":
      return event.answers.map(({ score, start, end, answer }) =>
        scoreLine(score, `${start}-${end}\t${oneLine(answer)}`),
      );
    case "fillings":
      return event.masks.flatMap((mask, i) => {
        const number = event.masks.length === 1 ? "" : `${i + 1}\t`;
        return mask.map(({ score, text, sequence }) =>
          scoreLine(score, `${number}${oneLine(text)}\t${oneLine(sequence)}`),
        );
      });
  }
}

/** A line that `sort` and `cut` understand. */
export function scoreLine(score: number, text: string): string {
  return `${score.toFixed(4)}\t${text}\n`;
}

/** Of a text with breaks, so that it stays one line. */
function oneLine(text: string): string {
  return text.trim().replace(/\s+/g, " ");
}

/** The attempt to get an answer has said them already. */
async function* withoutNotices(
  events: AsyncIterable<HeadEvent>,
): AsyncGenerator<Exclude<HeadEvent, { type: "notice" }>> {
  for await (const event of events) if (event.type !== "notice") yield event;
}
