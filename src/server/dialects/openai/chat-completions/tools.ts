import { z } from "zod";
import type { GenerateRequest, Tool, ToolChoice } from "../../../../core/index.js";
import { optional, unsupported } from "../fields.js";

const MAX_TOOLS = 512;
const MAX_NAME = 128;
const MAX_DESCRIPTION = 2 ** 20;

const named = z.object({ name: z.string().min(1).max(MAX_NAME) });

const functionTool = z.object({
  type: z.literal("function"),
  function: named.extend({
    description: optional(z.string().max(MAX_DESCRIPTION)),
    parameters: optional(z.record(z.string(), z.unknown())).describe("JSON Schema of an object."),
    strict: optional(z.boolean()).describe("Calls that must be made follow their schema either way."),
  }),
});

/** What the original also has, and what it is for is not here. */
function other<T extends string>(type: T) {
  return z
    .object({ type: z.literal(type) })
    .refine(() => false, { path: ["type"], error: `\`${type}\` is not supported here: use \`function\`` })
    .describe("Not supported.");
}

const toolReference = z.object({ type: z.literal("function"), function: named });

const toolChoice = z.union(
  [
    z.enum(["none", "auto", "required"]),
    z.discriminatedUnion("type", [
      toolReference,
      z.object({
        type: z.literal("allowed_tools"),
        allowed_tools: z.object({
          mode: z.enum(["auto", "required"]),
          tools: z.array(toolReference).min(1).max(MAX_TOOLS),
        }),
      }),
      other("custom"),
    ]),
  ],
  { error: "must be none, auto, required, a function, or allowed_tools" },
);

export const toolFields = {
  tools: optional(z.array(z.discriminatedUnion("type", [functionTool, other("custom")])).max(MAX_TOOLS)),
  tool_choice: optional(toolChoice),
  parallel_tool_calls: optional(z.boolean()),
  functions: unsupported("use `tools`", []),
  function_call: unsupported("use `tool_choice`", "none", "auto"),
};

const toolBody = z.object(toolFields);
type ToolBody = z.output<typeof toolBody>;

/** Refuses choices of functions that are not among the tools. */
export function checkTools({ tools = [], tool_choice: choice }: ToolBody, context: z.RefinementCtx): void {
  const names = new Set(tools.map((tool) => ("function" in tool ? tool.function.name : "")));
  const refuse = (message: string) => context.addIssue({ code: "custom", path: ["tool_choice"], message });
  if (choice === undefined || choice === "none" || choice === "auto") return;
  if (names.size === 0) refuse("is only allowed where there are `tools`");
  if (typeof choice === "string") return;
  const chosen =
    choice.type === "function" ? [choice] : choice.type === "allowed_tools" ? choice.allowed_tools.tools : [];
  const missing = chosen.find(({ function: { name } }) => !names.has(name));
  if (missing) refuse(`names "${missing.function.name}", which is not among the tools`);
}

/** The engine's words for the tools. Of those that are not allowed the model hears nothing. */
export function toolsOf(body: ToolBody): Pick<GenerateRequest, "tools" | "toolChoice" | "parallelToolCalls"> {
  const { tools: given = [], tool_choice: choice = "auto", parallel_tool_calls: parallelToolCalls } = body;
  const allowed =
    typeof choice === "object" && choice.type === "allowed_tools" ? choice.allowed_tools : undefined;
  const names = allowed && new Set(allowed.tools.map((tool) => tool.function.name));
  const tools = given.flatMap((tool): Tool[] => {
    if (tool.type !== "function" || names?.has(tool.function.name) === false) return [];
    const { name, description, parameters } = tool.function;
    return [{ name, ...(description !== undefined && { description }), ...(parameters && { parameters }) }];
  });
  if (tools.length === 0) return {};
  return {
    tools,
    toolChoice: allowed?.mode ?? choiceOf(choice),
    ...(parallelToolCalls !== undefined && { parallelToolCalls }),
  };
}

function choiceOf(choice: NonNullable<ToolBody["tool_choice"]>): ToolChoice {
  if (typeof choice === "string") return choice;
  return choice.type === "function" ? { name: choice.function.name } : "auto";
}
