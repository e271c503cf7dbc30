import {
  type ClassifyEvent,
  type Engine,
  HfmsError,
  type LabelScore,
  type ModelChoice,
  type ReadyEvent,
} from "../core/index.js";
import { readyLine } from "./answer.js";
import { writeAnswer } from "./output.js";
import type { ProgressDisplay } from "./progress.js";

type DoneEvent = Extract<ClassifyEvent, { type: "done" }>;

/** What `run --json` prints of a model that classifies. */
export interface ClassificationDocument {
  model: string;
  revision: string;
  task: string;
  device: string;
  dtype: string;
  /** Best first. */
  output: LabelScore[];
  usage: DoneEvent["usage"];
  timings: DoneEvent["timings"];
}

/** Does the model fail to answer because it was made to say labels? */
export async function classifies(engine: Engine, choice: ModelChoice, failure: unknown): Promise<boolean> {
  if (!(failure instanceof HfmsError) || failure.code !== "unsupported_task") return false;
  const preparing = engine.prepare(choice);
  let step = await preparing.next();
  while (!step.done) step = await preparing.next();
  return step.value.tasks[0] === "text-classification";
}

/** Flags of `run` that mean something to a model that classifies; `--top-k` is how many labels. */
const meaningful = new Set(
  "file verbose top-k json quiet debug dtype device require-device revision source".split(" "),
);

/** Refuses flags of generated text. */
export function refuseAnswerFlags(given: string[], model: string): void {
  const flag = given.find((name) => !meaningful.has(name));
  if (flag === undefined) return;
  throw new HfmsError(
    "invalid_request",
    `--${flag} is for text that is generated; ${model} says which labels fit`,
    {
      hint: `leave --${flag} out`,
      param: flag,
    },
  );
}

/** Follows the classification of one text to its end and prints a line for each label: score, tab, label. */
export async function followClassification(
  events: AsyncIterable<ClassifyEvent>,
  { display, print, verbose }: { display: ProgressDisplay; print: boolean; verbose?: boolean },
): Promise<ClassificationDocument> {
  let ready: ReadyEvent | undefined;
  let labels: LabelScore[] = [];
  for await (const event of display.follow(withoutNotices(events))) {
    if (event.type === "ready") {
      ready = event;
      if (verbose) display.line(readyLine(event));
    } else if (event.type === "classification") {
      labels = event.labels;
      if (print) await writeAnswer(labels.map(({ label, score }) => scoreLine(score, label)).join(""));
    } else if (ready) {
      const { model, revision, task, device, dtype } = ready;
      const { usage, timings } = event;
      return { model, revision, task, device, dtype, output: labels, usage, timings };
    }
  }
  throw new HfmsError("internal_error", "the model stopped without an end of its answer");
}

/** The attempt to get an answer has said them already. */
async function* withoutNotices(
  events: AsyncIterable<ClassifyEvent>,
): AsyncGenerator<Exclude<ClassifyEvent, { type: "notice" }>> {
  for await (const event of events) if (event.type !== "notice") yield event;
}

/** A line that `sort` and `cut` understand. */
export function scoreLine(score: number, text: string): string {
  return `${score.toFixed(4)}\t${text}\n`;
}
