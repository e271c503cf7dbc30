import type { AnswerCursor, Reading } from "../answer-cursor.js";
import { readJsonCall } from "./json-call.js";
import { readPythonicCall, readPythonicCalls } from "./pythonic.js";
import type { CallReader, ModelTraits, ToolCallFamily, ToolCallFormat } from "./types.js";

/** The tags around a call, and what stands around a string in its arguments. */
interface Tags {
  start: string;
  end: string;
  quote: string;
}

/** FunctionGemma: <start_function_call>call:f{a:<escape>x<escape>}<end_function_call> */
const functionGemma: Tags = {
  start: "<start_function_call>",
  end: "<end_function_call>",
  quote: "<escape>",
};

/** Gemma 4: <|tool_call>call:f{a:<|"|>x<|"|>}<tool_call|> */
const gemma4: Tags = { start: "<|tool_call>", end: "<tool_call|>", quote: '<|"|>' };

/** Deeper nesting is no argument of a function. */
const MAX_DEPTH = 64;

/** Gemma 3 has no notation of its own: Google's guide asks for Python in a ```tool_code block, or for bare JSON. */
const FENCE = "```tool_code";

const gemma3: ToolCallFormat = {
  name: "gemma",
  starts: [],
  lineStarts: [FENCE, "{", "["],
  tokens: [],
  read: readGemma3,
  notation: {
    before: "",
    separator: "\n",
    after: "",
    callBefore: (name) => `{"name": ${JSON.stringify(name)}, "parameters": `,
    callAfter: "}",
  },
  idLength: 24,
};

export const gemma: ToolCallFamily = {
  ofTemplate(model) {
    const tags = [functionGemma, gemma4].find(({ start }) => model.template.includes(start));
    if (tags) return formatWith(tags);
    return model.template.includes("<start_of_turn>") ? gemma3 : undefined;
  },
  ofModel({ tokenizer, modelType }: ModelTraits) {
    const tags = [functionGemma, gemma4].find(({ start }) => tokenizer.tokenToId(start) !== undefined);
    if (tags) return formatWith(tags);
    return modelType.startsWith("gemma") ? gemma3 : undefined;
  },
};

function formatWith(tags: Tags): ToolCallFormat {
  return {
    name: "gemma",
    starts: [tags.start],
    tokens: [tags.start, tags.end, tags.quote],
    read: (calls) => readTagged(calls, tags),
    // Strings in JSON's quotes: the grammar knows JSON, and the reader takes both.
    notation: {
      before: "",
      separator: "",
      after: "",
      callBefore: (name) => `${tags.start}call:${name}`,
      callAfter: tags.end,
    },
    idLength: 24,
  };
}

function* readTagged(calls: CallReader, { start, end, quote }: Tags): Reading<boolean> {
  const { cursor } = calls;
  if (!(yield* cursor.literal(start))) return false;
  yield* cursor.space();
  if (!(yield* cursor.literal("call:"))) return false;
  yield* cursor.space();
  const name = yield* cursor.while(/[\w.-]/);
  if (name === "" || !calls.knows(name) || !(yield* cursor.spaced("{"))) return false;
  calls.begin(name);
  let empty = true;
  const whole = yield* readMembers(cursor, quote, 0, (member) => {
    calls.write(`${empty ? "{" : ", "}${member}`);
    empty = false;
  });
  if (!whole) return false;
  calls.write(empty ? "{}" : "}");
  calls.end();
  calls.commit();
  if (yield* cursor.closing(end)) calls.commit();
  return true;
}

/** Members of an object behind its brace, each as JSON text. False where it breaks. */
function* readMembers(
  cursor: AnswerCursor,
  quote: string,
  depth: number,
  onMember: (member: string) => void,
): Reading<boolean> {
  const seen = new Set<string>();
  while (!(yield* cursor.spaced("}"))) {
    if (seen.size > 0 && !(yield* cursor.spaced(","))) return false;
    yield* cursor.space();
    const key = yield* readKey(cursor, quote);
    if (key === undefined || seen.has(key) || !(yield* cursor.spaced(":"))) return false;
    yield* cursor.space();
    const value = yield* readValue(cursor, quote, depth);
    if (value === undefined) return false;
    onMember(`${JSON.stringify(key)}: ${value}`);
    seen.add(key);
  }
  return true;
}

function* readKey(cursor: AnswerCursor, quote: string): Reading<string | undefined> {
  if (yield* cursor.literal(quote)) return yield* cursor.upTo(quote);
  if ((yield* cursor.peek()) === '"') {
    const json = yield* cursor.json();
    return json === undefined ? undefined : (JSON.parse(json) as string);
  }
  return (yield* cursor.while(/[^\s:,{}[\]"<]/)) || undefined;
}

function* readValue(cursor: AnswerCursor, quote: string, depth: number): Reading<string | undefined> {
  if (depth > MAX_DEPTH) return undefined;
  if (yield* cursor.literal(quote)) {
    const text = yield* cursor.upTo(quote);
    return text === undefined ? undefined : JSON.stringify(text);
  }
  if (yield* cursor.literal("{")) {
    const members: string[] = [];
    const whole = yield* readMembers(cursor, quote, depth + 1, (member) => members.push(member));
    return whole ? `{${members.join(", ")}}` : undefined;
  }
  if (yield* cursor.literal("[")) return yield* readItems(cursor, quote, depth);
  return yield* cursor.json();
}

function* readItems(cursor: AnswerCursor, quote: string, depth: number): Reading<string | undefined> {
  const items: string[] = [];
  while (!(yield* cursor.spaced("]"))) {
    if (items.length > 0 && !(yield* cursor.spaced(","))) return undefined;
    yield* cursor.space();
    const item = yield* readValue(cursor, quote, depth + 1);
    if (item === undefined) return undefined;
    items.push(item);
  }
  return `[${items.join(", ")}]`;
}

function* readGemma3(calls: CallReader): Reading<boolean> {
  const { cursor } = calls;
  if (yield* cursor.literal(FENCE)) {
    yield* cursor.space();
    const listed = (yield* cursor.peek()) === "[";
    if (!(yield* listed ? readPythonicCalls(calls) : readPythonicCall(calls))) return false;
    calls.commit();
    if (yield* cursor.closing("```")) calls.commit();
    return true;
  }
  if ((yield* cursor.peek()) === "[") return yield* readPythonicCalls(calls);
  if (!(yield* readJsonCall(calls, { bare: true }))) return false;
  calls.commit();
  return true;
}
