import type { Reading } from "../answer-cursor.js";
import { readJsonCall, readJsonCalls } from "./json-call.js";
import type { CallReader, ToolCallFamily, ToolCallFormat } from "./types.js";

const TAG = "<|tool_call|>";
const END = "<|/tool_call|>";
const WORD = "functools";

/**
 * Phi-4-mini: <|tool_call|>[{"name": "f", "arguments": {…}}]<|/tool_call|>, or functools[…], as its instructions also
 * have it. Granite 3 writes the same list behind the first tag and closes nothing. Some templates have one call without
 * a list between the tags.
 */
export const phi: ToolCallFamily = {
  ofTemplate: (model) =>
    [TAG, WORD, "<|tool|>"].some((mark) => model.template.includes(mark)) ? formatOf(model) : undefined,
  ofModel: (model) => (model.tokenizer.tokenToId(TAG) === undefined ? undefined : formatOf(model)),
};

function formatOf({ tokenizer }: Parameters<ToolCallFamily["ofModel"]>[0]): ToolCallFormat {
  const before = tokenizer.tokenToId(TAG) === undefined ? WORD : TAG;
  return {
    name: "phi",
    starts: [TAG],
    lineStarts: [`${WORD}[`],
    tokens: [TAG, END],
    read,
    notation: {
      before: `${before}[`,
      separator: ", ",
      after: `]${tokenizer.tokenToId(END) === undefined ? "" : END}`,
      callBefore: (name) => `{"name": ${JSON.stringify(name)}, "arguments": `,
      callAfter: "}",
    },
    idLength: 24,
  };
}

function* read(calls: CallReader): Reading<boolean> {
  const { cursor } = calls;
  const tagged = yield* cursor.literal(TAG);
  if (tagged) yield* cursor.space();
  else if (!(yield* cursor.literal(WORD))) return false;
  if (tagged && (yield* cursor.peek()) === "{") {
    if (!(yield* readJsonCall(calls))) return false;
    calls.commit();
  } else if (!(yield* readJsonCalls(calls))) return false;
  if (tagged && (yield* cursor.closing(END))) calls.commit();
  return true;
}
