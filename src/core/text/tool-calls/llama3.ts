import type { Reading } from "../answer-cursor.js";
import { readJsonCall } from "./json-call.js";
import { readPythonicCalls } from "./pythonic.js";
import { readTaggedCall } from "./tagged-call.js";
import type { CallReader, ToolCallFamily, ToolCallFormat } from "./types.js";

const TAG = "<|python_tag|>";

/**
 * Llama 3.1 and later: the answer is a JSON object {"name": "f", "parameters": {…}}, sometimes behind the tag that is
 * meant for code, several parted by semicolons. Llama 3.2 and 4 also write [f(a="x"), g()], and Meta's guide has
 * <function=f>{…}</function>.
 */
const format: ToolCallFormat = {
  name: "llama3",
  starts: [TAG, "<function="],
  lineStarts: ["{", "["],
  tokens: [TAG, "<|python_start|>", "<|python_end|>"],
  read,
  notation: {
    before: "",
    separator: "; ",
    after: "",
    callBefore: (name) => `{"name": ${JSON.stringify(name)}, "parameters": `,
    callAfter: "}",
    single: true,
  },
  idLength: 24,
};

export const llama3: ToolCallFamily = {
  ofTemplate: ({ template }) => (template.includes(TAG) ? format : undefined),
  ofModel: ({ tokenizer }) => (tokenizer.tokenToId(TAG) === undefined ? undefined : format),
};

function* read(calls: CallReader): Reading<boolean> {
  const { cursor } = calls;
  const bare = !(yield* cursor.literal(TAG));
  yield* cursor.space();
  if ((yield* cursor.peek()) === "<") return yield* readTaggedCall(calls);
  if ((yield* cursor.peek()) === "[") return yield* readPythonicCalls(calls);
  for (let count = 0; ; count++) {
    if (!(yield* readJsonCall(calls, { bare: bare || count > 0 }))) return false;
    calls.commit();
    yield* cursor.spaced(";");
    yield* cursor.space();
    if ((yield* cursor.peek()) !== "{") return false;
  }
}
