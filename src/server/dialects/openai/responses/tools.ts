import { z } from "zod";
import { checkTools, toolsOf } from "../chat-completions/tools.js";
import { optional } from "../fields.js";
import { kindOf } from "./kinds.js";

const MAX_TOOLS = 512;
const MAX_NAME = 128;
const MAX_DESCRIPTION = 2 ** 20;

const name = z.string().min(1).max(MAX_NAME);

const functionTool = z.object({
  type: z.literal("function"),
  name,
  description: optional(z.string().max(MAX_DESCRIPTION)),
  parameters: optional(z.record(z.string(), z.unknown())).describe("JSON Schema of an object."),
  strict: optional(z.boolean()).describe("Calls that must be made follow their schema either way."),
});

const toolReference = z.object({ type: z.literal("function"), name });

const toolChoice = z.union(
  [
    z.enum(["none", "auto", "required"]),
    toolReference,
    z.object({
      type: z.literal("allowed_tools"),
      mode: z.enum(["auto", "required"]),
      tools: z.array(toolReference).min(1).max(MAX_TOOLS),
    }),
  ],
  { error: "must be none, auto, required, a function, or allowed_tools with functions" },
);

export const toolFields = {
  tools: optional(
    z.array(kindOf([functionTool], "use function: the caller runs its tools itself")).max(MAX_TOOLS),
  ),
  tool_choice: optional(toolChoice),
  parallel_tool_calls: optional(z.boolean()),
};

const toolBody = z.object(toolFields);
type ToolBody = z.output<typeof toolBody>;

/** Refuses choices of functions that are not among the tools. */
export function checkResponseTools(body: ToolBody, context: z.RefinementCtx): void {
  checkTools(chatTools(body), context);
}

/** The engine's words for the tools. Of those that are not allowed the model hears nothing. */
export function responseTools(body: ToolBody): ReturnType<typeof toolsOf> {
  return toolsOf(chatTools(body));
}

/** Tools of this API as those of chat completions, which name the same things one level deeper. */
function chatTools({
  tools,
  tool_choice: choice,
  parallel_tool_calls,
}: ToolBody): Parameters<typeof toolsOf>[0] {
  const nested = <T>(given: T) => ({ type: "function" as const, function: given });
  const nestedChoice = () => {
    if (choice === undefined || typeof choice === "string") return choice;
    if (choice.type === "function") return nested({ name: choice.name });
    const { type, mode, tools } = choice;
    return { type, allowed_tools: { mode, tools: tools.map(({ name }) => nested({ name })) } };
  };
  return {
    tools: tools?.map(({ name, description, parameters, strict }) =>
      nested({ name, description, parameters, strict }),
    ),
    tool_choice: nestedChoice(),
    parallel_tool_calls,
  };
}
