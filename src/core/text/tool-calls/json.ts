import type { Reading } from "../answer-cursor.js";
import { readTagged } from "./hermes.js";
import { readJsonCall, readJsonCalls } from "./json-call.js";
import type { CallReader, ToolCallFamily, ToolCallFormat } from "./types.js";

const FENCE = "```";

/**
 * Models of which nothing is known: a JSON object with a name and arguments on a line of its own, or a list of them,
 * bare, in a Markdown fence or between Hermes' tags.
 */
const format: ToolCallFormat = {
  name: "json",
  starts: ["<tool_call>"],
  lineStarts: ["{", "[", `${FENCE}json`],
  tokens: ["<tool_call>", "</tool_call>"],
  read,
  notation: {
    before: "",
    separator: "\n",
    after: "",
    callBefore: (name) => `{"name": ${JSON.stringify(name)}, "arguments": `,
    callAfter: "}",
  },
  idLength: 24,
};

export const json: ToolCallFamily = { ofTemplate: () => undefined, ofModel: () => format };

function* read(calls: CallReader): Reading<boolean> {
  const { cursor } = calls;
  if ((yield* cursor.peek()) === "<") return yield* readTagged(calls);
  const fenced = yield* cursor.literal(`${FENCE}json`);
  if (fenced) yield* cursor.space();
  if ((yield* cursor.peek()) === "[") {
    if (!(yield* readJsonCalls(calls, { bare: true }))) return false;
  } else {
    if (!(yield* readJsonCall(calls, { bare: true }))) return false;
    calls.commit();
  }
  if (fenced && (yield* cursor.closing(FENCE))) calls.commit();
  return true;
}
