import { HfmsError } from "../errors.js";
import type { GenerateRequest } from "../requests.js";
import { argumentsOf } from "./template-messages.js";

/** A name that every notation can write and read. */
const NAME = /^[\w.-]{1,128}$/;

/** Refuses tools, choices and messages that can't be meant. Names what is wrong, with the field it is in. */
export function checkToolRequest({
  prompt,
  tools = [],
  toolChoice,
}: Pick<GenerateRequest, "prompt" | "tools" | "toolChoice">): void {
  const names = new Set<string>();
  for (const { name } of tools) {
    if (!NAME.test(name)) {
      throw refusal("tools", `a tool has the name ${JSON.stringify(name)}`, {
        hint: "names have 1 to 128 letters, digits, underscores, dots and hyphens",
      });
    }
    if (names.has(name)) throw refusal("tools", `two tools have the name "${name}"`);
    names.add(name);
  }
  if (toolChoice === "required" && tools.length === 0) {
    throw refusal("toolChoice", "a tool call is required, but there are no tools");
  }
  if (typeof toolChoice === "object" && !names.has(toolChoice.name)) {
    throw refusal("toolChoice", `a call of "${toolChoice.name}" is required, but there is no such tool`, {
      hint: names.size > 0 ? `the tools are ${[...names].join(", ")}` : "the request has no tools",
    });
  }
  for (const message of Array.isArray(prompt) ? prompt : []) {
    if (message.role === "tool" && !message.toolCallId) {
      throw refusal("messages", "a tool message doesn't say which call it answers", {
        hint: "give it the id of the call",
      });
    }
    if (message.role !== "assistant" && message.toolCalls?.length) {
      throw refusal("messages", `a ${message.role} message has tool calls; only the assistant makes them`);
    }
    message.toolCalls?.forEach(argumentsOf);
  }
}

function refusal(param: string, message: string, details: { hint?: string } = {}): HfmsError {
  return new HfmsError("invalid_request", message, { ...details, param });
}
