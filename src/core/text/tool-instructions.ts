import type { ChatMessage, Tool } from "../requests.js";
import { toolsForTemplate } from "./template-messages.js";

/**
 * A conversation for a model whose template knows no tools: they are described in its system message, in Hermes'
 * notation, which most models have seen. What makes the model keep to it is the grammar.
 */
export function withToolInstructions(
  messages: readonly ChatMessage[],
  tools: readonly Tool[],
): ChatMessage[] {
  const described = toolsForTemplate(tools).map((tool) => JSON.stringify(tool));
  const instructions = [
    "You can call these functions. Their signatures are between <tools></tools> tags:",
    "<tools>",
    ...described,
    "</tools>",
    "",
    "For each call write a JSON object with the function's name and its arguments between <tool_call></tool_call> tags:",
    "<tool_call>",
    '{"name": <function name>, "arguments": <object of arguments>}',
    "</tool_call>",
  ].join("\n");
  const [first, ...rest] = messages;
  if (first?.role !== "system") return [{ role: "system", content: instructions }, ...messages];
  return [{ ...first, content: `${first.content}\n\n${instructions}` }, ...rest];
}

/** Calls and results as text of assistant and user, for templates that would leave them out. */
export function withWrittenCalls(messages: readonly ChatMessage[]): ChatMessage[] {
  const written: ChatMessage[] = [];
  for (const message of messages) {
    if (message.role === "tool") {
      const response = `<tool_response>\n${message.content}\n</tool_response>`;
      const last = written.at(-1);
      // Results of several calls are one turn: templates want user and assistant to alternate.
      if (last?.role === "user" && last.content.endsWith("</tool_response>")) {
        written[written.length - 1] = { ...last, content: `${last.content}\n${response}` };
      } else written.push({ role: "user", content: response });
    } else if (message.toolCalls?.length) {
      const { toolCalls, ...rest } = message;
      const calls = toolCalls.map(
        ({ name, arguments: json }) =>
          `<tool_call>\n{"name": ${JSON.stringify(name)}, "arguments": ${json || "{}"}}\n</tool_call>`,
      );
      const parts = message.content === "" ? calls : [message.content, ...calls];
      written.push({ ...rest, content: parts.join("\n") });
    } else written.push(message);
  }
  return written;
}
