import { describe, expect, it } from "vitest";
import { AnswerParser, type AnswerParserOptions } from "../../../src/core/text/answer-parser.js";
import { reasoningFormats } from "../../../src/core/text/reasoning.js";
import fc from "../../property.js";
import { format, notations, parse, pieces } from "./answers.js";

const [think] = reasoningFormats;
const tools = [{ name: "f" }, { name: "g" }];

describe("an answer's parser", () => {
  it("sends text at once, except what could become a mark", () => {
    const parser = new AnswerParser({ toolFormat: format("hermes"), tools });
    expect(parser.push("Hello")).toEqual([{ type: "text", text: "Hello" }]);
    expect(parser.push(", world <")).toEqual([{ type: "text", text: ", world" }]);
    expect(parser.push("tool")).toEqual([]);
    expect(parser.push("s>")).toEqual([{ type: "text", text: " <tools>" }]);
    expect(parser.finish()).toEqual([]);
  });

  it("sends a call's name once and its arguments as they come", () => {
    const parser = new AnswerParser({ toolFormat: format("hermes"), tools });
    expect(parser.push('<tool_call>\n{"name": "f')).toEqual([]);
    expect(parser.push('", "argu')).toEqual([
      { type: "tool_call", call: 0, id: expect.stringMatching(/^call_/), name: "f", arguments: "" },
    ]);
    expect(parser.push('ments": {"a')).toEqual([{ type: "tool_call", call: 0, arguments: '{"a' }]);
    expect(parser.push('": 1}')).toEqual([{ type: "tool_call", call: 0, arguments: '": 1}' }]);
    expect(parser.toolCalls).toEqual([]);
    expect(parser.push("}\n</tool")).toEqual([]);
    expect(parser.toolCalls).toMatchObject([{ name: "f", arguments: '{"a": 1}' }]);
    expect(parser.push('_call>\n<tool_call>{"name": "g", "arguments": {')).toEqual([
      { type: "tool_call", call: 1, id: expect.any(String), name: "g", arguments: "{" },
    ]);
  });

  it("lets the text around calls be, without the space before them", () => {
    const options = { toolFormat: format("hermes"), tools };
    const call = '<tool_call>{"name": "f", "arguments": {}}</tool_call>';
    expect(parse(options, [`  One.\n\n${call}\n\n${call}\n\nTwo. `]).text).toBe("  One.\n\nTwo. ");
    expect(parse(options, [`${call}\n\n`]).text).toBe("");
    expect(parse(options, ["No call. \n"]).text).toBe("No call. \n");
  });

  it("finds the call behind one that is none", () => {
    const options = { toolFormat: format("hermes"), tools };
    const read = parse(options, ['<tool_call> is a tag <tool_call>{"name": "f"}</tool_call>']);
    expect(read).toMatchObject({ text: "<tool_call> is a tag", calls: [{ name: "f", arguments: "{}" }] });
  });

  it("gives a call that breaks as text, whole, also where its beginning was sent", () => {
    const answer = 'So: <tool_call>{"name": "f", "arguments": {"a": 1, "b": oops}}</tool_call>';
    const read = parse({ toolFormat: format("hermes"), tools }, [...answer]);
    expect(read).toMatchObject({
      text: answer,
      calls: [],
      streamed: [{ name: "f", arguments: '{"a": 1, "b": ' }],
    });
  });

  it("makes no text of a closing tag in which the answer breaks off", () => {
    const call = '<tool_call>{"name": "f", "arguments": {}}';
    for (const rest of ["\n", "\n<", "</tool_call", "</tool_call>"]) {
      const read = parse({ toolFormat: format("hermes"), tools }, [...call, ...rest]);
      expect(read).toMatchObject({ text: "", calls: [{ name: "f", arguments: "{}" }] });
    }
    expect(parse({ toolFormat: format("hermes"), tools }, [`${call}\n<b`]).text).toBe("\n<b");
  });

  it("takes a bare object for a call only at the start of a line, and only with arguments", () => {
    const options = { toolFormat: format("json"), tools };
    for (const text of [
      'Write {"name": "f", "arguments": {}} to call f.',
      '{"name": "f"}',
      '{"name": "f", "age": 3}',
      '{"title": "f", "arguments": {}}',
      "[1, 2]",
      '[{"name": "f", "age": 3}]',
      '[{"name": "f"}]',
      "[f](https://example.org)",
    ])
      expect(parse(options, [text])).toMatchObject({ text, calls: [] });
    expect(parse(options, ['Yes.\n  {"name": "f", "arguments": {}}'])).toMatchObject({
      text: "Yes.",
      calls: [{ name: "f" }],
    });
  });

  it("leaves calls and reasoning in the text where nobody asked for them", () => {
    const text = '<think>\nx</think>\n<tool_call>{"name": "f", "arguments": {}}</tool_call> ';
    expect(parse({}, [...text])).toMatchObject({ text, calls: [], reasoning: "" });
  });

  it("parts reasoning from the answer, and looks for calls behind it only", () => {
    const call = '<tool_call>{"name": "f", "arguments": {}}</tool_call>';
    const options = { toolFormat: format("hermes"), tools, reasoning: think };
    expect(parse(options, [`<think>\nI could ${call}\n\nor not.\n</think>\n\nHere:\n${call}`])).toMatchObject(
      {
        reasoning: `I could ${call}\n\nor not.`,
        text: "Here:",
        calls: [{ name: "f" }],
      },
    );
  });

  it("begins inside the reasoning where the prompt ends there", () => {
    const options = { reasoning: think, startsInReasoning: true };
    expect(parse(options, ["Hm.\n</think>\n\nYes."])).toMatchObject({ reasoning: "Hm.", text: "Yes." });
    expect(parse(options, ["<think>\nHm.</think>Yes."])).toMatchObject({ reasoning: "Hm.", text: "Yes." });
    expect(parse(options, ["Hm. </thi"])).toMatchObject({ reasoning: "Hm. </thi", text: "" });
  });

  it("knows an answer without reasoning, and one that thought nothing", () => {
    const options = { reasoning: think };
    expect(parse(options, ["  Yes, <think> is a tag."])).toMatchObject({
      reasoning: "",
      text: "  Yes, <think> is a tag.",
    });
    expect(parse(options, ["<think>\n\n</think>\n\nYes."])).toMatchObject({ reasoning: "", text: "Yes." });
  });

  it("asks for the special tokens that are marks", () => {
    const parser = new AnswerParser({ toolFormat: format("mistral"), reasoning: reasoningFormats[1] });
    expect(parser.needsSpecialTokens).toEqual(["[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "[THINK]", "[/THINK]"]);
  });

  it.each(notations)("reads the same with %s, wherever the text is cut, and loses nothing", (notation) => {
    const toolFormat = format(notation);
    const { starts, lineStarts = [], tokens, notation: written } = toolFormat;
    const scraps = [
      ...[...starts, ...lineStarts, ...tokens, think.start, think.end, written.before, written.after],
      ...[written.callBefore("f"), written.callBefore("other"), written.callAfter, written.separator],
      ...[
        '{"a": 1}',
        "{}",
        '{"a": ',
        '"name": "g"',
        "f(a=1)",
        "g(",
        ")",
        "call:",
        "{",
        "}",
        "[",
        "]",
        ",",
        "\n",
      ],
      ...[" ", '"', "\\", "text", "é🙂"],
    ];
    const texts = fc
      .array(fc.oneof(fc.constantFrom(...scraps), fc.string({ unit: "grapheme", maxLength: 3 })), {
        maxLength: 20,
      })
      .map((list) => list.join(""));
    const cut = pieces(texts);
    const options: AnswerParserOptions = { toolFormat, tools };
    fc.assert(
      fc.property(cut, fc.boolean(), (list, reasons) => {
        const both = { ...options, ...(reasons ? { reasoning: think } : {}) };
        const { ids: _, ...whole } = parse(both, [list.join("")]);
        expect(parse(both, list)).toMatchObject(whole);
        expect(parse(both, [...list.join("")])).toMatchObject(whole);
        if (whole.calls.length === 0 && !reasons) expect(whole.text).toBe(list.join(""));
        for (const call of whole.calls) expect(JSON.parse(call.arguments)).toBeTypeOf("object");
      }),
      { numRuns: 150 },
    );
  });

  it("keeps up with long arguments", () => {
    const parser = new AnswerParser({ toolFormat: format("hermes"), tools });
    const value = "x".repeat(8);
    parser.push('<tool_call>{"name": "f", "arguments": {"a": "');
    for (let i = 0; i < 20_000; i++) parser.push(value);
    parser.push('"}}</tool_call>');
    expect(parser.toolCalls[0].arguments).toHaveLength(160_000 + '{"a": ""}'.length);
  });
});
