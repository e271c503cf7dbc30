import { describe, expect, it } from "vitest";
import {
  afterReasoning,
  effortVariables,
  reasoningFormatOf,
  reasoningFormats,
  reasoningStateOf,
} from "../../../src/core/text/reasoning.js";
import { parse } from "./answers.js";

const vocabulary = (...tokens: string[]) => ({
  tokenToId: (token: string) => (tokens.includes(token) ? 1 : undefined),
});
const [think] = reasoningFormats;

describe("reasoning", () => {
  it.each([
    ["{{ '<|Assistant|><think>\\n' }}", "<think>"],
    ["{%- set content = message.content.split('</think>')[-1] %}", "<think>"],
    ["{{ '[THINK]' + block.thinking + '[/THINK]' }}", "[THINK]"],
    ["{{ '<|channel>thought\\n<channel|>' }}", "<|channel>thought\n"],
    ["{{ '<|START_THINKING|>' }}", "<|START_THINKING|>"],
  ])("is marked as the template marks it: %s", (template, start) => {
    expect(reasoningFormatOf(template, vocabulary())?.start).toBe(start);
  });

  it("is marked as the vocabulary has it where the template is silent, and else not at all", () => {
    expect(reasoningFormatOf("{{ messages }}", vocabulary("[THINK]", "[/THINK]"))?.start).toBe("[THINK]");
    expect(reasoningFormatOf("{{ messages }}", vocabulary("<think>"))).toBeUndefined();
    expect(reasoningFormatOf(undefined, vocabulary())).toBeUndefined();
    // gpt-oss's channels are another thing.
    expect(reasoningFormatOf("{{ '<|channel|>analysis<|message|>' }}", vocabulary())).toBeUndefined();
  });

  it("is open, closed or free where the prompt ends", () => {
    expect(reasoningStateOf(think, "<|Assistant|><think>\n")).toBe("open");
    expect(reasoningStateOf(think, "assistant\n<think>\n\n</think>\n\n")).toBe("closed");
    expect(reasoningStateOf(think, "user\nWhat is <think>?<|im_end|>\nassistant\n")).toBe("free");
    const [, , channel] = reasoningFormats;
    expect(reasoningStateOf(channel, "<|turn>model\n<|channel>thought\n<channel|>")).toBe("closed");
  });

  it.each(reasoningFormats)("between $start and $end is parted from the answer", (reasoning) => {
    const { start, end } = reasoning;
    const text = `${start}So it is.\n\nOr not?${end}\n\nIt is.`;
    const expected = { reasoning: "So it is.\n\nOr not?", text: "It is." };
    expect(parse({ reasoning }, [text])).toMatchObject(expected);
    expect(parse({ reasoning }, [...text])).toMatchObject(expected);
  });

  it("may come before an answer that must look like something", () => {
    const answer = { type: "json_object" } as const;
    const thought = [
      { type: "free_text", until: ["</think>"] },
      { type: "text", text: "</think>" },
      { type: "repeat", part: { type: "text", text: "\n" }, min: 0, max: 2 },
    ];
    expect(afterReasoning(think, "closed", answer)).toEqual(answer);
    expect(afterReasoning(think, "open", answer)).toEqual({ type: "sequence", parts: [...thought, answer] });
    expect(afterReasoning(think, "free", answer)).toEqual({
      type: "sequence",
      parts: [
        {
          type: "repeat",
          part: { type: "sequence", parts: [{ type: "text", text: "<think>" }, ...thought] },
          min: 0,
          max: 1,
        },
        answer,
      ],
    });
  });
});

describe("how much to reason", () => {
  const qwen =
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>' }}{% endif %}";
  const deepseek = "{% if not thinking is defined %}{% set thinking = false %}{% endif %}";
  const gptOss =
    '{%- if reasoning_effort is not defined %}{%- set reasoning_effort = "medium" %}{%- endif %}' +
    '{{- "Reasoning: " + reasoning_effort }}';

  it.each([
    [qwen, "none", { enable_thinking: false }],
    [qwen, "low", { enable_thinking: true }],
    [deepseek, "high", { thinking: true }],
    ["{%- if thinking %}{{ 'Think.' }}{% endif %}", "none", { thinking: false }],
    [gptOss, "high", { reasoning_effort: "high" }],
    [gptOss + qwen, "none", { enable_thinking: false, reasoning_effort: "none" }],
    ["{{ messages }}", "none", {}],
    [undefined, undefined, {}],
  ])("is told in the template's own variables: %s, %s", (template, effort, variables) => {
    expect(effortVariables(template, effort)).toEqual(variables);
  });

  it.each([
    "{{ messages }}",
    "{{ '<thinking>' + message.thinking + message['thinking'] }}",
    "You are thinking. {{ messages }}",
    "{%- set thinking = message.thoughts %}{{ thinking }}",
  ])("can't be told to a template that does not ask: %s", (template) => {
    expect(() => effortVariables(template, "low")).toThrow(
      expect.objectContaining({ code: "invalid_request", param: "reasoningEffort" }),
    );
  });
});
