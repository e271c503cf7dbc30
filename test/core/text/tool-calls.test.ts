import { describe, expect, it } from "vitest";
import type { Tool } from "../../../src/core/requests.js";
import {
  toolCallFamilies,
  toolCallFormatOf,
  toolChoiceFormat,
} from "../../../src/core/text/tool-calls/index.js";
import fc from "../../property.js";
import { filesOf, read } from "../../source-imports.js";
import { format, type Notation, notations, parse, pieces } from "./answers.js";

const weather: Tool = {
  name: "get_weather",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const clock: Tool = { name: "clock" };
const tools = [weather, clock];
const paris = { name: "get_weather", arguments: '{"city": "Paris"}' };
const now = { name: "clock", arguments: "{}" };

/** Text before, the answer as the model writes it, the calls in it, text behind. */
const answers: [Notation, string, (typeof paris)[], string?][] = [
  ["hermes", '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>', [paris]],
  [
    "hermes",
    'Let me see.\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>\n<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>',
    [paris, now],
    "Let me see.",
  ],
  ["hermes", '<tool_call>{"arguments": {"city": "Paris"}, "name": "get_weather"}', [paris]],
  ["hermes", '<tool_call>{"name": "clock"}</tool_call>', [now]],
  ["hermes", '<tool_call>{"name": "clock", "arguments": null}</tool_call>', [now]],
  [
    "hermes",
    '<tool_call>{"name":"get_weather","arguments":"{\\"city\\": \\"Paris\\"}"}</tool_call>',
    [paris],
  ],
  [
    "hermes",
    '<tool_call>{"type":"function","function":{"name":"get_weather","arguments":{"city": "Paris"}}}</tool_call>',
    [paris],
  ],
  ["llama3", '{"name": "get_weather", "parameters": {"city": "Paris"}}', [paris]],
  ["llama3", '{"type": "function", "name": "get_weather", "parameters": {"city": "Paris"}}', [paris]],
  [
    "llama3",
    '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Paris"}}; {"name": "clock", "parameters": {}}',
    [paris, now],
  ],
  ["llama3", '[get_weather(city="Paris"), clock()]', [paris, now]],
  ["llama3", "<|python_tag|>[get_weather(city='Paris',)]", [paris]],
  [
    "mistral",
    '[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Paris"}, "id": "VvvODy9mT"}]',
    [paris],
  ],
  [
    "mistral",
    '[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Paris"}}, {"name": "clock", "arguments": {}}]',
    [paris, now],
  ],
  ["mistral-named", '[TOOL_CALLS]get_weather[ARGS]{"city": "Paris"}[TOOL_CALLS]clock[ARGS]{}', [paris, now]],
  ["mistral-named", '[TOOL_CALLS]get_weather[CALL_ID]VvvODy9mT[ARGS]{"city": "Paris"}', [paris]],
  ["mistral-named", 'On it.[TOOL_CALLS]get_weather{"city": "Paris"}', [paris], "On it."],
  ["gemma", '```tool_code\nget_weather(city="Paris")\n```', [paris]],
  ["gemma", '[get_weather(city="Paris")]', [paris]],
  ["gemma", '{"name": "get_weather", "parameters": {"city": "Paris"}}', [paris]],
  [
    "gemma4",
    '<|tool_call>call:get_weather{city:<|"|>Paris<|"|>}<tool_call|><|tool_call>call:clock{}<tool_call|>',
    [paris, now],
  ],
  [
    "function-gemma",
    "<start_function_call>call:get_weather{city:<escape>Paris<escape>}<end_function_call>",
    [paris],
  ],
  [
    "hermes",
    "<tool_call>\n<function=get_weather>\n<parameter=city>\nParis\n</parameter>\n</function>\n</tool_call>",
    [paris],
  ],
  ["hermes", "<function=clock>\n</function>\n</tool_call>", [now]],
  ["llama3", '<function=get_weather>{"city": "Paris"}</function>', [paris]],
  [
    "deepseek",
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{"city": "Paris"}\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>clock\n```json\n{}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    [paris, now],
  ],
  [
    "deepseek-plain",
    '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{"city": "Paris"}<｜tool▁call▁end｜><｜tool▁call▁begin｜>clock<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
    [paris, now],
  ],
  [
    "phi",
    '<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Paris"}}, {"name": "clock", "arguments": {}}]<|/tool_call|>',
    [paris, now],
  ],
  ["phi", '<|tool_call|>{"name": "get_weather", "arguments": {"city": "Paris"}}<|/tool_call|>', [paris]],
  ["phi", 'functools[{"name": "get_weather", "arguments": {"city": "Paris"}}]', [paris]],
  [
    "json",
    'I will look.\n```json\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n```',
    [paris],
    "I will look.",
  ],
  ["json", '[{"name": "get_weather", "parameters": {"city": "Paris"}}]', [paris]],
  ["json", '<tool_call>{"name": "get_weather", "arguments": {"city": "Paris"}}</tool_call>', [paris]],
];

describe("a tool call", () => {
  it.each(answers)("of %s is read: %s", (notation, answer, calls, text = "") => {
    const options = { toolFormat: format(notation), tools };
    const whole = parse(options, [answer]);
    expect(whole).toMatchObject({ calls, streamed: calls, text });
    expect(parse(options, [...answer])).toMatchObject({ calls, streamed: calls, text });
  });

  it.each(answers)("of %s loses nothing where it breaks off: %s", (notation, answer, calls) => {
    const options = { toolFormat: format(notation), tools };
    for (let length = 0; length < answer.length; length++) {
      const start = answer.slice(0, length);
      const read = parse(options, [start]);
      expect(calls.slice(0, read.calls.length)).toEqual(read.calls);
      if (read.calls.length === 0) expect(read.text).toBe(start);
    }
  });

  it("has an id of its own, and of nine characters for Mistral", () => {
    const twice = '<tool_call>{"name": "clock"}</tool_call>'.repeat(2);
    const { ids } = parse({ toolFormat: format("hermes"), tools }, [twice]);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^call_[0-9A-Za-z]{24}$/);
    const mistral = parse({ toolFormat: format("mistral"), tools }, ['[TOOL_CALLS] [{"name": "clock"}]']);
    expect(mistral.ids).toEqual([expect.stringMatching(/^[0-9A-Za-z]{9}$/)]);
  });

  it.each(notations)("of %s stays text when the function is unknown", (notation) => {
    const { notation: written } = format(notation);
    const answer = `${written.before}${written.callBefore("rm")}{"city": "Paris"}${written.callAfter}${written.after}`;
    expect(parse({ toolFormat: format(notation), tools }, [answer])).toMatchObject({
      calls: [],
      streamed: [],
      text: answer,
    });
  });

  it.each(notations)(
    "of %s that the grammar wrote is read, whatever its arguments and wherever it is cut",
    (notation) => {
      const toolFormat = format(notation, ["<|tool_call|>", "<|/tool_call|>"]);
      const { before, callBefore, callAfter, separator, after } = toolFormat.notation;
      const marks = [...toolFormat.starts, ...toolFormat.tokens, callAfter, "}", '"', "\\", "{", "</think>"];
      const word = fc.oneof(fc.string({ unit: "grapheme", maxLength: 8 }), fc.constantFrom(...marks));
      const value = fc.letrec((tie) => ({
        value: fc.oneof(
          { maxDepth: 4 },
          fc.array(word, { maxLength: 4 }).map((words) => words.join("")),
          fc.integer(),
          fc
            .double({ noNaN: true, noDefaultInfinity: true })
            .map((number) => (Object.is(number, -0) ? 0 : number)),
          fc.boolean(),
          fc.constant(null),
          fc.array(tie("value"), { maxLength: 3 }),
          fc.dictionary(word, tie("value"), { maxKeys: 3, noNullPrototype: true }),
        ),
      })).value;
      const args = fc.dictionary(word, value, { maxKeys: 4, noNullPrototype: true });
      const calls = fc.array(args, { minLength: 1, maxLength: 3 });
      const generated = calls.chain((list) =>
        fc.tuple(
          fc.constant(list),
          pieces(
            fc
              .constantFrom(undefined, 2)
              .map(
                (indent) =>
                  before +
                  list
                    .map((object) => callBefore("f") + JSON.stringify(object, undefined, indent) + callAfter)
                    .join(separator) +
                  after,
              ),
          ),
        ),
      );
      fc.assert(
        fc.property(generated, ([list, cut]) => {
          const { calls: found, streamed, text } = parse({ toolFormat, tools: [{ name: "f" }] }, cut);
          // Marks in Gemma's arguments would end them: there they are no text but syntax.
          expect(text).toBe("");
          expect(streamed).toEqual(found);
          expect(found.map((call) => JSON.parse(call.arguments))).toEqual(
            list.map((object) => JSON.parse(JSON.stringify(object))),
          );
        }),
        { numRuns: 60 },
      );
    },
  );
});

describe("a call in nested tags", () => {
  const call = (parameters: string, properties?: object) => {
    const tool = { name: "f", parameters: { type: "object", properties } };
    const answer = `<tool_call>\n<function=f>\n${parameters}\n</function>\n</tool_call>`;
    return parse({ toolFormat: format("hermes"), tools: [tool] }, [...answer]).calls[0]?.arguments;
  };

  it("has values of the types that the schema says", () => {
    const parameters = ["a", "b", "c", "d", "e"]
      .map((key) => `<parameter=${key}>\n12\n</parameter>`)
      .join("\n");
    const properties = {
      a: { type: "string" },
      b: { type: "integer" },
      c: { type: ["string", "null"] },
      d: {},
    };
    expect(call(parameters, properties)).toBe('{"a": "12", "b": 12, "c": "12", "d": "12", "e": "12"}');
    expect(call("<parameter=x>\nTrue\n</parameter>", { x: { type: "boolean" } })).toBe('{"x": true}');
    expect(call("<parameter=x>not JSON</parameter>", { x: { type: "object" } })).toBe('{"x": "not JSON"}');
  });

  it("keeps text as it is, but for a line end at each side", () => {
    const code = 'if (a < b) {\n\n  print("</param>")\n}\n';
    expect(call(`<parameter=code>\n${code}\n</parameter>`)).toBe(`{"code": ${JSON.stringify(code)}}`);
    expect(call("<parameter=a>1</parameter><parameter=a>2</parameter>")).toBeUndefined();
  });
});

describe("Python's notation", () => {
  const call = (args: string) =>
    parse({ toolFormat: format("llama3"), tools: [{ name: "f" }] }, [`[f(${args})]`]).calls[0]?.arguments;

  it("knows Python's literals", () => {
    expect(call(`a=True, b=None, c=[1, 2.5, -3,], d={'k': (False,)}, e=1_000, f=.5`)).toBe(
      '{"a": true, "b": null, "c": [1, 2.5, -3], "d": {"k": [false]}, "e": 1000, "f": 0.5}',
    );
    expect(call(`s='it\\'s', t="a\\n\\u00e9\\x41", u='''two\n'lines' ''', v=''`)).toBe(
      JSON.stringify({ s: "it's", t: "a\né\x41", u: "two\n'lines' ", v: "" })
        .replaceAll('":"', '": "')
        .replaceAll('","', '", "'),
    );
  });

  it.each(["a=b", "1", "a=1 b=2", "a=1, a=2", "a='x", "a=f()", "a=01x", "**k"])("takes no %s", (args) => {
    expect(call(args)).toBeUndefined();
  });
});

describe("the notation of a model", () => {
  const of = (template: string | undefined, tokens: string[] = [], modelType = "") =>
    toolCallFormatOf({
      template,
      modelType,
      tokenizer: { tokenToId: (token) => (tokens.includes(token) ? 1 : undefined) },
    });

  it("is told by the words of its template before its vocabulary", () => {
    for (const notation of notations) expect(format(notation).name).toBe(expectedName(notation));
    // Hermes 3 on Llama 3.1.
    expect(of("{{ tools }} <tool_call>", ["<|python_tag|>"]).name).toBe("hermes");
  });

  it("is told by its vocabulary where the template is silent", () => {
    expect(of("{{ tools }}", ["[TOOL_CALLS]", "[ARGS]"]).notation.callBefore("f")).toBe(
      "[TOOL_CALLS]f[ARGS]",
    );
    expect(of("{{ tools }}", ["[TOOL_CALLS]"]).notation.before).toBe("[TOOL_CALLS] [");
    expect(of("{{ tools }}", ["<|python_tag|>"]).name).toBe("llama3");
    expect(of(undefined, ["<|tool_call|>"]).name).toBe("phi");
    expect(of("{{ tools }}", [], "gemma3_text").name).toBe("gemma");
    expect(of("{{ tools }}", [], "gpt2").name).toBe("json");
  });

  it("is Hermes' where hfms itself explains the tools", () => {
    expect(of("{{ messages }}", [], "llama").name).toBe("hermes");
  });

  it("has a file, and the file a place in the list", () => {
    const member = /^export const \w+: ToolCallFamily\b/m;
    const files = filesOf("src/core/text/tool-calls/*.ts").filter((file) => member.test(read(file)));
    const names = files.map((file) => file.replace(/^.*\/|\.ts$/g, ""));
    expect(names.sort()).toEqual(Object.keys(toolCallFamilies).sort());
  });

  function expectedName(notation: Notation): string {
    if (notation === "mistral-named") return "mistral";
    if (notation === "deepseek-plain") return "deepseek";
    return notation === "gemma4" || notation === "function-gemma" ? "gemma" : notation;
  }
});

describe("a tool choice", () => {
  const hermes = format("hermes");

  it("leaves the model free under none and auto", () => {
    expect(toolChoiceFormat(hermes, tools, "none", { parallel: true })).toBeUndefined();
    expect(toolChoiceFormat(hermes, tools, "auto", { parallel: true })).toBeUndefined();
  });

  it("that names a function makes one call of it, arguments by its schema", () => {
    expect(toolChoiceFormat(hermes, tools, { name: "get_weather" }, { parallel: true })).toEqual({
      type: "sequence",
      parts: [
        { type: "text", text: '<tool_call>\n{"name": "get_weather", "arguments": ' },
        { type: "json_schema", schema: weather.parameters },
        { type: "text", text: "}\n</tool_call>" },
      ],
    });
  });

  it("that requires a call allows several where the model can make them", () => {
    expect(toolChoiceFormat(hermes, tools, "required", { parallel: true })).toMatchObject({
      type: "repeat",
      min: 1,
      separator: "\n",
      part: { type: "any_of", options: [{ type: "sequence" }, { type: "sequence" }] },
    });
    expect(toolChoiceFormat(hermes, tools, "required", { parallel: false })).toMatchObject({
      type: "any_of",
    });
    expect(toolChoiceFormat(format("llama3"), tools, "required", { parallel: true })).toMatchObject({
      type: "any_of",
    });
    expect(toolChoiceFormat(format("mistral"), tools, "required", { parallel: true })).toMatchObject({
      type: "sequence",
      parts: [{ type: "text", text: "[TOOL_CALLS] [" }, { type: "repeat" }, { type: "text", text: "]" }],
    });
  });

  it("asks for an object also where the schema doesn't", () => {
    const forced = toolChoiceFormat(hermes, [clock], "required", { parallel: false });
    expect(forced).toMatchObject({ parts: [{}, { schema: { type: "object" } }, {}] });
  });
});
