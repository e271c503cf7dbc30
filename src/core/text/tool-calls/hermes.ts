import type { Reading } from "../answer-cursor.js";
import { readJsonCall } from "./json-call.js";
import { readTaggedCall } from "./tagged-call.js";
import type { CallReader, ToolCallFamily, ToolCallFormat } from "./types.js";

/**
 * Hermes 2 Pro and what follows it: Qwen2.5, Qwen3, SmolLM3, Granite 4. Each call stands alone between tags:
 * <tool_call>\n{"name": "f", "arguments": {…}}\n</tool_call>
 * Qwen3-Coder has tags inside instead of JSON, and sometimes forgets the outer ones.
 */
export const hermesFormat: ToolCallFormat = {
  name: "hermes",
  starts: ["<tool_call>", "<function="],
  tokens: ["<tool_call>", "</tool_call>"],
  read: readTagged,
  notation: {
    before: "",
    separator: "\n",
    after: "",
    callBefore: (name) => `<tool_call>\n{"name": ${JSON.stringify(name)}, "arguments": `,
    callAfter: "}\n</tool_call>",
  },
  idLength: 24,
};

export const hermes: ToolCallFamily = {
  ofTemplate: ({ template }) => (template.includes("<tool_call>") ? hermesFormat : undefined),
  ofModel: ({ tokenizer }) => (tokenizer.tokenToId("<tool_call>") === undefined ? undefined : hermesFormat),
};

/** A call between tags. An answer that ends without the closing tag has made its call all the same. */
export function* readTagged(calls: CallReader): Reading<boolean> {
  const { cursor } = calls;
  const tagged = yield* cursor.literal("<tool_call>");
  yield* cursor.space();
  if (!tagged || (yield* cursor.peek()) === "<") {
    if (!(yield* readTaggedCall(calls))) return false;
  } else if (!(yield* readJsonCall(calls))) return false;
  calls.commit();
  if (yield* cursor.closing("</tool_call>")) calls.commit();
  return true;
}
