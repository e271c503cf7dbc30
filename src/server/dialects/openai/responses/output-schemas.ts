import { z } from "zod";

/** The items of a response's output, in the shapes of OpenAI's Responses API. */

const itemStatus = z.enum(["in_progress", "completed", "incomplete"]);

const tokenLogprob = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()) });

const logprob = tokenLogprob.extend({ top_logprobs: z.array(tokenLogprob) });

const outputText = z.object({
  type: z.literal("output_text"),
  text: z.string(),
  annotations: z.array(z.never()),
  logprobs: z.array(logprob).describe("Empty where `include` does not ask for them."),
});

const reasoningText = z.object({ type: z.literal("reasoning_text"), text: z.string() });

const messageItem = z.object({
  type: z.literal("message"),
  id: z.string(),
  role: z.literal("assistant"),
  status: itemStatus,
  content: z.array(outputText),
});

const reasoningItem = z.object({
  type: z.literal("reasoning"),
  id: z.string(),
  status: itemStatus,
  summary: z.array(z.never()),
  content: z.array(reasoningText),
});

const functionCallItem = z.object({
  type: z.literal("function_call"),
  id: z.string(),
  call_id: z.string(),
  name: z.string(),
  arguments: z.string().describe("JSON text of an object."),
  status: itemStatus,
});

export const outputItem = z
  .discriminatedUnion("type", [messageItem, reasoningItem, functionCallItem])
  .meta({ id: "ResponseOutputItem" });

export type OutputItem = z.infer<typeof outputItem>;
export type MessageItem = z.infer<typeof messageItem>;
export type ReasoningItem = z.infer<typeof reasoningItem>;

const inOutput = { output_index: z.int() };
const inItem = { ...inOutput, item_id: z.string() };
const inPart = { ...inItem, content_index: z.int() };

/** What a stream tells of the items; `sequence_number` comes on top. */
export const itemEvents = [
  z.object({ type: z.literal("response.output_item.added"), ...inOutput, item: outputItem }),
  z.object({
    type: z.literal("response.content_part.added"),
    ...inPart,
    part: z.discriminatedUnion("type", [outputText, reasoningText]),
  }),
  z.object({
    type: z.literal("response.output_text.delta"),
    ...inPart,
    delta: z.string(),
    logprobs: z.array(logprob),
  }),
  z.object({
    type: z.literal("response.output_text.done"),
    ...inPart,
    text: z.string(),
    logprobs: z.array(logprob),
  }),
  z.object({ type: z.literal("response.reasoning_text.delta"), ...inPart, delta: z.string() }),
  z.object({ type: z.literal("response.reasoning_text.done"), ...inPart, text: z.string() }),
  z.object({ type: z.literal("response.function_call_arguments.delta"), ...inItem, delta: z.string() }),
  z.object({
    type: z.literal("response.function_call_arguments.done"),
    ...inItem,
    arguments: z.string(),
  }),
  z.object({
    type: z.literal("response.content_part.done"),
    ...inPart,
    part: z.discriminatedUnion("type", [outputText, reasoningText]),
  }),
  z.object({ type: z.literal("response.output_item.done"), ...inOutput, item: outputItem }),
] as const;

export type ItemEvent = z.infer<(typeof itemEvents)[number]>;
