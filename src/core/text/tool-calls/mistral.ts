import type { Reading } from "../answer-cursor.js";
import { readJsonCall, readJsonCalls } from "./json-call.js";
import type { CallNotation, CallReader, ModelTraits, ToolCallFamily, ToolCallFormat } from "./types.js";

const TAG = "[TOOL_CALLS]";
const ARGUMENTS = "[ARGS]";
const CALL_ID = "[CALL_ID]";

/** Mistral 7B v0.3 to Small 3.1 (tokenizers v3 and v7): [TOOL_CALLS] [{"name": "f", "arguments": {…}}, …] */
const list: CallNotation = {
  before: `${TAG} [`,
  separator: ", ",
  after: "]",
  callBefore: (name) => `{"name": ${JSON.stringify(name)}, "arguments": `,
  callAfter: "}",
};

/** Since tokenizer v11: [TOOL_CALLS]f[ARGS]{…} for each call. v11 itself may write an id between, which is no use. */
const named: CallNotation = {
  before: "",
  separator: "",
  after: "",
  callBefore: (name) => `${TAG}${name}${ARGUMENTS}`,
  callAfter: "",
};

export const mistral: ToolCallFamily = {
  ofTemplate: (model) =>
    model.template.includes(TAG) ? formatWith(model.template.includes(ARGUMENTS) ? named : list) : undefined,
  ofModel: ({ tokenizer }: ModelTraits) => {
    if (tokenizer.tokenToId(TAG) === undefined) return undefined;
    return formatWith(tokenizer.tokenToId(ARGUMENTS) === undefined ? list : named);
  },
};

/** Both notations are read, whichever the model was trained on. */
function formatWith(notation: CallNotation): ToolCallFormat {
  return { name: "mistral", starts: [TAG], tokens: [TAG, ARGUMENTS, CALL_ID], read, notation, idLength: 9 };
}

function* read(calls: CallReader): Reading<boolean> {
  const { cursor } = calls;
  if (!(yield* cursor.literal(TAG))) return false;
  yield* cursor.space();
  const first = yield* cursor.peek();
  if (first === "[") return yield* readJsonCalls(calls);
  if (first === "{") {
    if (!(yield* readJsonCall(calls))) return false;
    calls.commit();
    return true;
  }
  return yield* readNamed(calls);
}

function* readNamed(calls: CallReader): Reading<boolean> {
  const { cursor } = calls;
  const name = yield* cursor.while(/[\w.-]/);
  if (name === "" || !calls.knows(name)) return false;
  if (yield* cursor.spaced(CALL_ID)) yield* cursor.while(/\w/);
  yield* cursor.spaced(ARGUMENTS);
  yield* cursor.space();
  if ((yield* cursor.peek()) !== "{") return false;
  calls.begin(name);
  if ((yield* cursor.json((text) => calls.write(text))) === undefined) return false;
  calls.end();
  calls.commit();
  return true;
}
