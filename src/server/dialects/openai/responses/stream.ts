import type { AnswerEvent, GenerateEvent, HfmsError } from "../../../../core/index.js";
import type { StreamEvent } from "../../../event-stream.js";
import { errorBody } from "../error-body.js";
import { ResponseOutput } from "./output.js";
import type { ItemEvent } from "./output-schemas.js";
import { failedResponse, finishedResponse } from "./response.js";
import type { ResponseEvent, ResponseObject } from "./response-schemas.js";

type Done = Extract<GenerateEvent, { type: "done" }>;

/** What comes of an answer behind `ready`. */
type ResponseSource = AsyncIterable<AnswerEvent | Done>;

/** A response whose output is the answer's, once that is over. */
export async function wholeResponse(
  response: ResponseObject,
  events: ResponseSource,
): Promise<ResponseObject> {
  const output = new ResponseOutput();
  let finished = response;
  for await (const event of events) {
    if (event.type === "done") {
      for (const _ of finish(output, event));
      finished = finishedResponse(response, { ...output, items: whole(output) }, event);
    } else for (const _ of output.push(event));
  }
  return finished;
}

/** The named events of a response; an error comes as `response.failed`, then as `error`. */
export class ResponseStream {
  readonly #response: ResponseObject;
  readonly #source: ResponseSource;
  readonly #output = new ResponseOutput();
  #sequence = 0;

  constructor(response: ResponseObject, source: ResponseSource) {
    this.#response = response;
    this.#source = source;
  }

  async *events(explain: (thrown: unknown) => HfmsError): AsyncGenerator<StreamEvent> {
    const output = this.#output;
    const response = this.#response;
    yield this.#event({ type: "response.created", response });
    yield this.#event({ type: "response.in_progress", response });
    try {
      for await (const event of this.#source) {
        if (event.type !== "done") {
          for (const item of output.push(event)) yield this.#event(item);
          continue;
        }
        for (const item of finish(output, event)) yield this.#event(item);
        const finished = finishedResponse(response, output, event);
        const type = finished.status === "incomplete" ? "response.incomplete" : "response.completed";
        yield this.#event({ type, response: finished });
      }
    } catch (thrown) {
      const error = explain(thrown);
      for (const item of output.breakOff()) yield this.#event(item);
      yield this.#event({ type: "response.failed", response: failedResponse(response, output, error) });
      throw error;
    }
  }

  /** The last event of a stream that failed: the official clients throw at it. */
  error(error: HfmsError): StreamEvent {
    const { message, code, param } = errorBody(error).error;
    return this.#event({ type: "error", code, message, param });
  }

  #event(event: Unnumbered<ResponseEvent> | ItemEvent): StreamEvent {
    const { type, ...data } = event;
    return { event: type, data: { type, sequence_number: this.#sequence++, ...data } };
  }
}

type Unnumbered<E> = E extends unknown ? Omit<E, "sequence_number"> : never;

function finish(output: ResponseOutput, { finishReason, choices: [choice] }: Done): Iterable<ItemEvent> {
  return output.finish(finishReason === "length" ? "incomplete" : "completed", choice.toolCalls);
}

/** Nobody has seen the beginning of a call that came to nothing. */
function whole({ items }: ResponseOutput): ResponseOutput["items"] {
  return items.filter((item) => item.type !== "function_call" || item.status === "completed");
}
