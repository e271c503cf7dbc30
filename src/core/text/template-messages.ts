import { HfmsError } from "../errors.js";
import type { ChatMessage, Tool, ToolCall } from "../requests.js";
import type { TemplateTraits } from "./template-traits.js";

/** Messages in the shape that transformers hands to chat templates: the wire format of OpenAI, arguments as objects. */
export function messagesForTemplate(
  messages: readonly ChatMessage[],
  traits: TemplateTraits,
  tools: readonly Tool[],
): Record<string, unknown>[] {
  const names = new Map(
    messages.flatMap(({ toolCalls = [] }) => toolCalls.map((call) => [call.id, call.name])),
  );
  const shaped = messages.map((message) => shape(message, traits, names));
  if (tools.length === 0 || traits.tools !== "system_message") return shaped;
  const [first, ...rest] =
    shaped[0]?.role === "system" ? shaped : [{ role: "system", content: "" }, ...shaped];
  return [{ ...first, tools: JSON.stringify(tools.map(functionOf)) }, ...rest];
}

/** Tools in the shape that templates expect. */
export function toolsForTemplate(tools: readonly Tool[]): Record<string, unknown>[] {
  return tools.map((tool) => ({ type: "function", function: functionOf(tool) }));
}

function shape(
  { role, content, reasoning, toolCalls, toolCallId, name }: ChatMessage,
  traits: TemplateTraits,
  names: ReadonlyMap<string, string>,
): Record<string, unknown> {
  const id = (text: string) => (traits.shortIds ? shortId(text) : text);
  const shaped: Record<string, unknown> = { role, content };
  const functionName = name ?? (toolCallId === undefined ? undefined : names.get(toolCallId));
  if (functionName !== undefined) shaped.name = functionName;
  if (toolCallId !== undefined) shaped.tool_call_id = id(toolCallId);
  if (reasoning !== undefined) shaped[traits.reasoning] = reasoning;
  // An empty list would be taken for calls by templates that ask `tool_calls is defined`.
  if (toolCalls?.length) {
    if (content === "") shaped.content = traits.emptyContent;
    shaped.tool_calls = toolCalls.map((call) => ({
      id: id(call.id),
      type: "function",
      function: { name: call.name, arguments: traits.calls === "text" ? call.arguments : argumentsOf(call) },
    }));
  }
  return shaped;
}

/** Templates take a missing description for an error (they add texts), missing parameters for a function of none. */
function functionOf({ name, description = "", parameters }: Tool): Record<string, unknown> {
  const schema = typeof parameters === "object" ? parameters : { type: "object", properties: {} };
  return { name, description, parameters: schema };
}

/** Nine alphanumeric characters: the last ones, as Mistral's newer templates do it themselves. */
function shortId(id: string): string {
  return id
    .replaceAll(/[^A-Za-z0-9]/g, "")
    .slice(-9)
    .padStart(9, "0");
}

/** The arguments of a call; throws invalid_request where they are no object. */
export function argumentsOf({ name, arguments: text }: ToolCall): unknown {
  let value: unknown;
  try {
    value = text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    // Told below.
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new HfmsError("invalid_request", `the arguments of a call of "${name}" are no JSON object: ${text}`, {
    param: "messages",
  });
}
