import type { ChatMessage } from "../../../../core/index.js";
import type { InputContent, InputItem, ResponseRequest } from "./schemas.js";

/**
 * A conversation as the engine takes it. What a model said in one turn comes as several items (reasoning, a message,
 * calls) and is one message for its chat template; so are system messages at the beginning, which most templates take
 * one of.
 */
export function messagesOf({
  input,
  instructions,
}: Pick<ResponseRequest, "input" | "instructions">): ChatMessage[] {
  const messages: ChatMessage[] = [];
  if (instructions !== undefined) messages.push({ role: "system", content: instructions });
  if (typeof input === "string") return [...messages, { role: "user", content: input }];
  for (const item of input) add(messages, item);
  return messages;
}

function add(messages: ChatMessage[], item: InputItem): void {
  const last = messages.at(-1);
  if (item.type === "function_call_output") {
    messages.push({ role: "tool", toolCallId: item.call_id, content: textOf(item.output) });
    return;
  }
  if (item.type === "function_call") {
    const call = { id: item.call_id, name: item.name, arguments: item.arguments };
    if (last?.role === "assistant") last.toolCalls = [...(last.toolCalls ?? []), call];
    else messages.push({ role: "assistant", content: "", toolCalls: [call] });
    return;
  }
  if (item.type === "reasoning") {
    const reasoning = item.content?.map(({ text }) => text).join("") ?? "";
    if (reasoning !== "") messages.push({ role: "assistant", content: "", reasoning });
    return;
  }
  const role = item.role === "developer" ? "system" : item.role;
  const content = textOf(item.content);
  if (role === "assistant" && last?.role === "assistant" && last.content === "" && !last.toolCalls) {
    last.content = content;
  } else if (role === "system" && messages.length === 1 && last?.role === "system") {
    last.content += `\n\n${content}`;
  } else {
    messages.push({ role, content });
  }
}

/** Parts of a text are lines of it. */
function textOf(content: InputContent): string {
  if (typeof content === "string") return content;
  return content.map((part) => (part.type === "refusal" ? part.refusal : part.text)).join("\n");
}
