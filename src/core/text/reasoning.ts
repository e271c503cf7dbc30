import type { OutputFormat } from "../requests.js";
import type { Tokenizer } from "./types.js";

/** How a model marks what it thinks before it answers. */
export interface ReasoningFormat {
  start: string;
  end: string;
  /** Special tokens of the marks: a detokenizer must write them out. */
  tokens: readonly string[];
}

/** Most common first. DeepSeek R1, Qwen3, SmolLM3 and most others; Magistral; Gemma 4; Command A; Granite and others. */
export const reasoningFormats: readonly ReasoningFormat[] = [
  { start: "<think>", end: "</think>", tokens: ["<think>", "</think>"] },
  { start: "[THINK]", end: "[/THINK]", tokens: ["[THINK]", "[/THINK]"] },
  { start: "<|channel>thought\n", end: "<channel|>", tokens: ["<|channel>", "<channel|>"] },
  {
    start: "<|START_THINKING|>",
    end: "<|END_THINKING|>",
    tokens: ["<|START_THINKING|>", "<|END_THINKING|>"],
  },
  { start: "<reasoning>", end: "</reasoning>", tokens: ["<reasoning>", "</reasoning>"] },
  { start: "<thinking>", end: "</thinking>", tokens: ["<thinking>", "</thinking>"] },
];

/** The marks that the template writes or that are tokens of the vocabulary; undefined for a model that doesn't reason. */
export function reasoningFormatOf(
  template: string | undefined,
  tokenizer: Pick<Tokenizer, "tokenToId">,
): ReasoningFormat | undefined {
  return (
    reasoningFormats.find(({ tokens }) => tokens.some((token) => template?.includes(token))) ??
    reasoningFormats.find(({ tokens }) => tokens.every((token) => tokenizer.tokenToId(token) !== undefined))
  );
}

/**
 * Where a prompt leaves the model: `open` inside its reasoning, which the template began; `closed` behind one that the
 * template also ended, so that there will be none; `free` to think or not.
 */
export type ReasoningState = "open" | "closed" | "free";

export function reasoningStateOf({ start, end }: ReasoningFormat, prompt: string): ReasoningState {
  const text = prompt.trimEnd();
  if (text.endsWith(start.trimEnd())) return "open";
  return text.endsWith(end) ? "closed" : "free";
}

/** The same answer, with the reasoning that may stand before it. */
export function afterReasoning(
  { start, end }: ReasoningFormat,
  state: ReasoningState,
  answer: OutputFormat,
): OutputFormat {
  if (state === "closed") return answer;
  const thought: OutputFormat[] = [
    { type: "free_text", until: [end] },
    { type: "text", text: end },
    { type: "repeat", part: { type: "text", text: "\n" }, min: 0, max: 2 },
  ];
  if (state === "open") return { type: "sequence", parts: [...thought, answer] };
  const whole: OutputFormat = { type: "sequence", parts: [{ type: "text", text: start }, ...thought] };
  return { type: "sequence", parts: [{ type: "repeat", part: whole, min: 0, max: 1 }, answer] };
}
