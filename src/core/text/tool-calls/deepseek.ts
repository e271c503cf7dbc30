import type { Reading } from "../answer-cursor.js";
import type { CallNotation, CallReader, ToolCallFamily, ToolCallFormat } from "./types.js";

const BEGIN = "<｜tool▁calls▁begin｜>";
const END = "<｜tool▁calls▁end｜>";
const CALL = "<｜tool▁call▁begin｜>";
const CALL_END = "<｜tool▁call▁end｜>";
const SEPARATOR = "<｜tool▁sep｜>";
const FENCE = "```";

/** V3 and R1: ⟨call⟩function⟨sep⟩f\n```json\n{…}\n```⟨call end⟩ */
const fenced: CallNotation = {
  before: BEGIN,
  separator: "\n",
  after: END,
  callBefore: (name) => `${CALL}function${SEPARATOR}${name}\n${FENCE}json\n`,
  callAfter: `\n${FENCE}${CALL_END}`,
};

/** V3.1 and later: ⟨call⟩f⟨sep⟩{…}⟨call end⟩ */
const plain: CallNotation = {
  before: BEGIN,
  separator: "",
  after: END,
  callBefore: (name) => `${CALL}${name}${SEPARATOR}`,
  callAfter: CALL_END,
};

export const deepseek: ToolCallFamily = {
  ofTemplate: ({ template }) =>
    template.includes(BEGIN) ? formatWith(template.includes(`${FENCE}json`) ? fenced : plain) : undefined,
  ofModel: ({ tokenizer }) => (tokenizer.tokenToId(BEGIN) === undefined ? undefined : formatWith(plain)),
};

/** Both notations are read, whichever the model was trained on. */
function formatWith(notation: CallNotation): ToolCallFormat {
  const tokens = [BEGIN, END, CALL, CALL_END, SEPARATOR];
  return { name: "deepseek", starts: [BEGIN, CALL], tokens, read, notation, idLength: 24 };
}

function* read(calls: CallReader): Reading<boolean> {
  const { cursor } = calls;
  yield* cursor.literal(BEGIN);
  do {
    yield* cursor.space();
    if (!(yield* readCall(calls))) return false;
    calls.commit();
  } while (!(yield* cursor.spaced(END)) && (yield* nextCall(calls)));
  calls.commit();
  return true;
}

/** Is another call next? It is not stepped over. */
function* nextCall({ cursor }: CallReader): Reading<boolean> {
  const start = cursor.position;
  const found = yield* cursor.spaced(CALL);
  cursor.rewind(start);
  return found;
}

function* readCall(calls: CallReader): Reading<boolean> {
  const { cursor } = calls;
  if (!(yield* cursor.literal(CALL))) return false;
  let name = yield* cursor.while(/[\w.-]/);
  if (!(yield* cursor.literal(SEPARATOR))) return false;
  if (name === "function" && (yield* cursor.peek()) !== "{") name = yield* cursor.while(/[\w.-]/);
  if (name === "" || !calls.knows(name)) return false;
  const isFenced = yield* cursor.spaced(`${FENCE}json`);
  yield* cursor.space();
  if ((yield* cursor.peek()) !== "{") return false;
  calls.begin(name);
  if ((yield* cursor.json(calls.write)) === undefined) return false;
  if (isFenced && !(yield* cursor.spaced(FENCE))) return false;
  calls.end();
  yield* cursor.spaced(CALL_END);
  return true;
}
