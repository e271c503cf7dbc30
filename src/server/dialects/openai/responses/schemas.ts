import { z } from "zod";
import {
  callerFields,
  checkStreamOptions,
  count,
  modelName,
  optional,
  samplingFields,
  schedulingFields,
  streamFields,
  unsupported,
} from "../fields.js";
import { kindOf } from "./kinds.js";
import { checkResponseTools, toolFields } from "./tools.js";

const MAX_TEXT = 16 * 2 ** 20;
const MAX_ITEMS = 16_384;
const MAX_PARTS = 4096;
const MAX_ID = 256;
const MAX_NAME = 128;
const MAX_FORMAT_NAME = 64;
const MAX_INCLUDED = 32;
const MAX_TOP_LOGPROBS = 20;
const MAX_VARIABLES = 32;
const MAX_VARIABLE_NAME = 64;

const text = z.string().max(MAX_TEXT);
const id = z.string().min(1).max(MAX_ID);

const textPart = z.object({ type: z.enum(["input_text", "output_text", "text"]), text });
const refusalPart = z.object({ type: z.literal("refusal"), refusal: text });
const content = z.union([
  text,
  z.array(kindOf([textPart, refusalPart], "models here read text; send input_text")).max(MAX_PARTS),
]);

const message = z.object({
  type: z.literal("message").optional(),
  role: z.enum(["user", "assistant", "system", "developer"]),
  content,
});

const functionCall = z.object({
  type: z.literal("function_call"),
  call_id: id,
  name: z.string().min(1).max(MAX_NAME),
  arguments: text,
});

const functionCallOutput = z.object({
  type: z.literal("function_call_output"),
  call_id: id,
  output: z.union([
    text,
    z.array(kindOf([textPart], "models here read text; send input_text")).max(MAX_PARTS),
  ]),
});

const reasoningText = z.object({ type: z.literal("reasoning_text"), text });
const reasoning = z.object({
  type: z.literal("reasoning"),
  content: optional(z.array(reasoningText).max(MAX_PARTS)).describe(
    "What the model thought: templates that show it get it back. Without it the item has no effect.",
  ),
});

const inputItem = kindOf(
  [message, functionCall, functionCallOutput, reasoning],
  "send messages, function_call, function_call_output and reasoning items; nothing is stored here that could be referred to",
);

export type InputItem = z.output<typeof inputItem>;
export type InputContent = z.output<typeof content>;

const textFormat = kindOf(
  [
    z.object({ type: z.literal("text") }),
    z.object({ type: z.literal("json_object") }),
    z.object({
      type: z.literal("json_schema"),
      name: z
        .string()
        .regex(/^[\w-]+$/, { error: "must be letters, digits, underscores and hyphens" })
        .max(MAX_FORMAT_NAME),
      description: optional(text),
      schema: z.record(z.string(), z.unknown()).describe("JSON Schema."),
      strict: optional(z.boolean()).describe("The schema is kept to either way."),
    }),
  ],
  "use text, json_object or json_schema",
);

const templateVariables = z
  .record(z.string().max(MAX_VARIABLE_NAME), z.unknown())
  .refine((variables) => Object.keys(variables).length <= MAX_VARIABLES, {
    error: `must not have more than ${MAX_VARIABLES} variables`,
  });

export const efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"] as const;
/** Of what refers to earlier responses. */
const nothingStored = "nothing is stored here; send the whole conversation as `input`";

/** What tools of the original's own bring along; there is nothing to include of them. */
const includables = [
  "message.output_text.logprobs",
  "reasoning.encrypted_content",
  "file_search_call.results",
  "web_search_call.results",
  "web_search_call.action.sources",
  "message.input_image.image_url",
  "computer_call_output.output.image_url",
  "code_interpreter_call.outputs",
] as const;

export const responseRequest = z
  .object({
    model: modelName,
    input: z.union([text, z.array(inputItem).min(1).max(MAX_ITEMS)]),
    instructions: optional(text).describe("A system message in front of the input."),
    max_output_tokens: optional(count).describe("Of reasoning, text and calls together."),
    ...toolFields,
    text: optional(
      z.object({
        format: optional(textFormat),
        verbosity: unsupported("say in the instructions how long the answer shall be", "medium"),
      }),
    ),
    reasoning: optional(
      z.object({
        effort: optional(z.enum(efforts)).describe("For models whose chat template can be told."),
        summary: unsupported("reasoning comes as it is, not summarised", "auto"),
        generate_summary: unsupported("reasoning comes as it is, not summarised", "auto"),
      }),
    ),
    include: optional(z.array(z.enum(includables)).max(MAX_INCLUDED)).describe(
      "`message.output_text.logprobs` gives log probabilities. The others name what hfms never has, or never hides.",
    ),
    top_logprobs: optional(z.int().min(0).max(MAX_TOP_LOGPROBS)),
    store: unsupported("nothing is stored here; leave it out or send false", false),
    previous_response_id: unsupported(nothingStored),
    conversation: unsupported(nothingStored),
    background: unsupported("wait for the answer, or stream it", false),
    prompt: unsupported("there are no stored prompts; send `instructions` and `input`"),
    truncation: unsupported("nothing is cut silently; send less", "disabled"),
    context_management: unsupported("nothing is cut silently; send less", []),
    moderation: unsupported("ask /v1/moderations yourself"),
    max_tool_calls: optional(count).describe("Of no effect: it counts calls of tools that the server runs."),
    ...samplingFields,
    ...schedulingFields,
    ...streamFields,
    ...callerFields,
    prompt_cache_options: z.unknown().optional().describe("Accepted, and of no effect."),
    chat_template_kwargs: optional(templateVariables).describe("Extension: variables of the chat template."),
  })
  .superRefine((body, context) => {
    checkStreamOptions(body, context);
    checkResponseTools(body, context);
    checkCalls(body.input, context);
    if (body.top_logprobs && !body.include?.includes("message.output_text.logprobs")) {
      context.addIssue({
        code: "custom",
        path: ["top_logprobs"],
        message: 'needs `include` with "message.output_text.logprobs"',
      });
    }
  });

export type ResponseRequest = z.output<typeof responseRequest>;

/** Refuses results of calls that nobody made: whoever sends them counts on a response that was stored. */
function checkCalls(input: string | InputItem[], context: z.RefinementCtx): void {
  if (typeof input === "string") return;
  const calls = new Set<string>();
  for (const [index, item] of input.entries()) {
    if (item.type === "function_call") calls.add(item.call_id);
    if (item.type !== "function_call_output" || calls.has(item.call_id)) continue;
    const message = `answers no function_call before it; ${nothingStored}`;
    context.addIssue({ code: "custom", path: ["input", index, "call_id"], message });
  }
}
