import { z } from "zod";
import type { ChatMessage } from "../../../../core/index.js";
import { optional, unsupported } from "../fields.js";

const MAX_MESSAGES = 16_384;
const MAX_PARTS = 4096;
const MAX_CALLS = 128;
const MAX_TEXT = 16 * 2 ** 20;
const MAX_NAME = 256;

const text = z.string().max(MAX_TEXT);
const name = optional(z.string().max(MAX_NAME));

const textPart = z.object({ type: z.literal("text"), text });
const refusalPart = z.object({ type: z.literal("refusal"), refusal: text });

/** A part that the original reads. Nothing that it points to is opened. */
function unreadable<T extends string>(type: T, what: string) {
  return z
    .object({ type: z.literal(type) })
    .refine(() => false, { error: `${type} is not supported here: ${what} are not read; send text` })
    .describe("Not supported.");
}

const anyPart = z.discriminatedUnion("type", [
  textPart,
  unreadable("image_url", "images"),
  unreadable("input_audio", "sounds"),
  unreadable("file", "files"),
]);

function content<T extends z.ZodType>(part: T) {
  return z.union([text, z.array(part).min(1).max(MAX_PARTS)], {
    error: "must be a text or a list of text parts",
  });
}

const toolCall = z.object({
  id: z.string().min(1).max(MAX_NAME),
  type: optional(z.literal("function")),
  function: z.object({ name: z.string().min(1).max(MAX_NAME), arguments: text }),
});

const assistantMessage = z
  .object({
    role: z.literal("assistant"),
    content: optional(content(z.discriminatedUnion("type", [textPart, refusalPart]))),
    refusal: optional(text),
    reasoning_content: optional(text).describe("Extension: what it thought, for templates that show it."),
    reasoning: optional(text).describe("Extension: another name of `reasoning_content`."),
    name,
    tool_calls: optional(z.array(toolCall).max(MAX_CALLS)),
    function_call: unsupported("use `tool_calls`"),
    audio: unsupported("send the words as `content`"),
  })
  .refine(
    (message) =>
      message.content !== undefined || message.refusal !== undefined || message.tool_calls !== undefined,
    { path: ["content"], error: "may only be missing where there are `tool_calls`" },
  );

const message = z.discriminatedUnion(
  "role",
  [
    z.object({ role: z.literal("developer"), content: content(textPart), name }),
    z.object({ role: z.literal("system"), content: content(textPart), name }),
    z.object({ role: z.literal("user"), content: content(anyPart), name }),
    assistantMessage,
    z.object({
      role: z.literal("tool"),
      content: content(textPart),
      tool_call_id: z.string().min(1).max(MAX_NAME),
      name,
    }),
    z
      .object({ role: z.literal("function") })
      .refine(() => false, { path: ["role"], error: "`function` is not supported here: use `tool`" })
      .describe("Not supported."),
  ],
  { error: "must be developer, system, user, assistant or tool" },
);

/** A conversation, the oldest message first. */
export const messages = z.array(message).min(1, { error: "must have a message" }).max(MAX_MESSAGES);

/** The engine's messages: those of a developer are the system's, text parts become lines. */
export function chatMessages(given: z.output<typeof messages>): ChatMessage[] {
  return given.map((message): ChatMessage => {
    if (message.role === "function") throw new TypeError("the schema lets no message of a function through");
    const { role, name } = message;
    const own = name === undefined ? {} : { name };
    if (role === "tool") {
      return { role, content: textOf(message.content), toolCallId: message.tool_call_id, ...own };
    }
    if (role !== "assistant") {
      return { role: role === "user" ? role : "system", content: textOf(message.content), ...own };
    }
    const {
      refusal = "",
      tool_calls: calls = [],
      reasoning_content: reasoning = message.reasoning,
    } = message;
    return {
      role,
      content: textOf(message.content ?? refusal),
      ...(reasoning !== undefined && { reasoning }),
      ...(calls.length > 0 && { toolCalls: calls.map(({ id, function: called }) => ({ id, ...called })) }),
      ...own,
    };
  });
}

type Part = z.output<typeof anyPart> | z.output<typeof refusalPart>;

function textOf(content: string | readonly Part[]): string {
  if (typeof content === "string") return content;
  return content
    .map((part) => (part.type === "text" ? part.text : part.type === "refusal" ? part.refusal : ""))
    .join("\n");
}
