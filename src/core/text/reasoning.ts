import { HfmsError } from "../errors.js";
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

/** Variables by which templates switch reasoning on and off: Qwen3, SmolLM3, GLM; DeepSeek 3.1, Granite. */
const SWITCHES = ["enable_thinking", "thinking"];

/**
 * The variables that make a template ask for this much reasoning: its own words where it has them (gpt-oss), on or off
 * where it has a switch. Throws invalid_request where it has neither, but for `none`.
 */
export function effortVariables(
  template: string | undefined,
  effort: string | undefined,
): Record<string, unknown> {
  if (effort === undefined) return {};
  const known = SWITCHES.filter((name) => asksFor(name, template));
  const variables: Record<string, unknown> = Object.fromEntries(
    known.map((name) => [name, effort !== "none"]),
  );
  if (asksFor("reasoning_effort", template)) variables.reasoning_effort = effort;
  if (effort === "none" || Object.keys(variables).length > 0) return variables;
  throw new HfmsError("invalid_request", `this model can't be told how much to reason ("${effort}")`, {
    hint: "leave it out, or take a model whose chat template knows of it",
    param: "reasoningEffort",
  });
}

/** Does a template read a variable that it does not make itself: no text, and no field of a message? */
function asksFor(name: string, template = ""): boolean {
  const code = [...template.matchAll(/\{[%{](.*?)[%}]\}/gs)].map(([, inside]) => inside).join("\n");
  const has = (pattern: string) => new RegExp(pattern).test(code);
  if (!has(`(?<![\\w.'"<\\[/])${name}(?![\\w'">])`)) return false;
  return !has(`\\bset\\s+${name}\\s*=`) || has(`\\b${name}\\s+is\\s+(not\\s+)?defined`);
}
