import type { ToolCall } from "../../../src/core/requests.js";
import { AnswerParser, type AnswerParserOptions } from "../../../src/core/text/answer-parser.js";
import { toolCallFormatOf } from "../../../src/core/text/tool-calls/index.js";
import type { ToolCallFormat, ToolCallFormatName } from "../../../src/core/text/tool-calls/types.js";
import fc from "../../property.js";

/** What a parser made of an answer, its pieces joined. */
export interface Answer {
  text: string;
  reasoning: string;
  /** As streamed: also calls that broke off. */
  streamed: { name: string; arguments: string }[];
  /** The complete ones. */
  calls: { name: string; arguments: string }[];
  ids: string[];
}

export function parse(options: AnswerParserOptions, pieces: readonly string[]): Answer {
  const parser = new AnswerParser(options);
  const answer: Answer = { text: "", reasoning: "", streamed: [], calls: [], ids: [] };
  for (const part of [...pieces.flatMap((piece) => parser.push(piece)), ...parser.finish()]) {
    if (part.type !== "tool_call") {
      answer[part.type] += part.text;
      continue;
    }
    if (part.id !== undefined) {
      if (part.call !== answer.streamed.length) throw new Error(`call ${part.call} begins out of turn`);
      answer.streamed.push({ name: part.name!, arguments: "" });
      answer.ids.push(part.id);
    }
    answer.streamed[part.call].arguments += part.arguments;
  }
  answer.calls = parser.toolCalls.map(({ name, arguments: json }: ToolCall) => ({ name, arguments: json }));
  return answer;
}

/** A text cut into pieces at any places. */
export function pieces(text: fc.Arbitrary<string>): fc.Arbitrary<string[]> {
  return fc.tuple(text, fc.array(fc.nat({ max: 12 }), { maxLength: 40 })).map(([whole, lengths]) => {
    const cut: string[] = [];
    let at = 0;
    for (const length of lengths) cut.push(whole.slice(at, (at += length)));
    return [...cut, whole.slice(at)];
  });
}

/** Words by which each format's models are known. */
const templates: Record<
  ToolCallFormatName | "mistral-named" | "deepseek-plain" | "gemma4" | "function-gemma",
  string
> = {
  hermes: "{{ tools }} <tool_call>",
  llama3: "{{ tools }} <|python_tag|>",
  mistral: "{{ tools }} [TOOL_CALLS] [",
  "mistral-named": "{{ tools }} [TOOL_CALLS]f[ARGS]",
  gemma: "{{ tools }} <start_of_turn>",
  gemma4: "{{ tools }} <|tool_call>call:",
  "function-gemma": "{{ tools }} <start_function_call>call:",
  phi: "{{ tools }} <|tool_call|>",
  deepseek: "{{ tools }} <｜tool▁calls▁begin｜>```json",
  "deepseek-plain": "{{ tools }} <｜tool▁calls▁begin｜>",
  json: "{{ tools }}",
};

export type Notation = keyof typeof templates;
export const notations = Object.keys(templates) as Notation[];

export function format(notation: Notation, tokens: string[] = []): ToolCallFormat {
  const tokenToId = (token: string) => (tokens.includes(token) ? tokens.indexOf(token) : undefined);
  return toolCallFormatOf({ template: templates[notation], tokenizer: { tokenToId }, modelType: "" });
}
