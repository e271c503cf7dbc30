import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answerOptions } from "../../src/cli/answer-flags.js";
import { choiceOptions } from "../../src/cli/choice-flags.js";
import { outputFormat } from "../../src/cli/format-flags.js";
import { parseTools, toolOptions } from "../../src/cli/tool-flags.js";
import type { Tool } from "../../src/core/index.js";
import fc from "../property.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "hfms-flags-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const { signal } = new AbortController();

async function file(name: string, text: string): Promise<string> {
  const place = path.join(folder, name);
  await writeFile(place, text);
  return place;
}

const weather: Tool = {
  name: "get_weather",
  description: "the weather of a city",
  parameters: { type: "object", properties: { city: { type: "string" } } },
};

describe("the format of an answer", () => {
  const format = (flags: Parameters<typeof outputFormat>[0]) => outputFormat(flags, signal);

  it("is free without a flag", async () => {
    expect(await format({})).toBeUndefined();
    expect(await format({ "json-object": false })).toBeUndefined();
  });

  it("is what one of the flags says, out of a file or as typed", async () => {
    const schema = { type: "object", required: ["name"] };
    const grammar = 'root ::= "yes" | "no"';
    expect(await format({ "json-object": true })).toEqual({ type: "json_object" });
    expect(await format({ schema: JSON.stringify(schema) })).toEqual({ type: "json_schema", schema });
    expect(await format({ schema: await file("person.json", JSON.stringify(schema)) })).toEqual({
      type: "json_schema",
      schema,
    });
    expect(await format({ schema: await file("any.json", "true") })).toEqual({
      type: "json_schema",
      schema: true,
    });
    expect(await format({ regex: "[a-z]+" })).toEqual({ type: "regex", pattern: "[a-z]+" });
    expect(await format({ grammar })).toEqual({ type: "grammar", grammar });
    expect(await format({ grammar: await file("answer.ebnf", `${grammar}\n`) })).toEqual({
      type: "grammar",
      grammar,
    });
    expect(await format({ choice: ["yes", "no"] })).toEqual({ type: "choice", choices: ["yes", "no"] });
  });

  it("is one only", async () => {
    await expect(format({ schema: "{}", regex: "a" })).rejects.toMatchObject({
      message: "--schema and --regex don't go together",
      param: "regex",
    });
  });

  it.each([
    ["a schema that is not JSON", { schema: "{type: object}" }, "the value of --schema is not JSON"],
    ["a schema that is a list", { schema: "[]" }, "--schema is no JSON Schema"],
    ["an empty pattern", { regex: "" }, "--regex is empty"],
    ["an empty choice", { choice: ["yes", " "] }, "--choice is empty"],
    ["a file that is not there", { schema: "no-such.json" }, 'there is no file "no-such.json"'],
  ])("refuses %s", async (_, flags, message) => {
    await expect(format(flags)).rejects.toThrow(message);
  });
});

describe("functions", () => {
  const options = (flags: Parameters<typeof toolOptions>[0]) => toolOptions(flags, signal);

  it("are read in OpenAI's notation and bare, alone or under tools", () => {
    const names = fc.stringMatching(/^[A-Za-z0-9_.-]{1,64}$/);
    fc.assert(
      fc.property(fc.uniqueArray(names, { minLength: 1, maxLength: 4 }), fc.boolean(), (unique, under) => {
        const tools = unique.map((name) => ({ ...weather, name }));
        const openai = tools.map((tool) => ({ type: "function", function: { ...tool, strict: true } }));
        expect(parseTools(under ? { tools: openai } : openai)).toEqual(tools);
        expect(parseTools(under ? { tools } : tools)).toEqual(tools);
      }),
    );
  });

  it("come out of a file or as typed, with the choice among them", async () => {
    const tools = JSON.stringify([{ type: "function", function: weather }]);
    expect(await options({ tools })).toEqual({ tools: [weather], toolChoice: undefined });
    for (const choice of ["auto", "none", "required"]) {
      const place = await file("tools.json", tools);
      expect((await options({ tools: place, "tool-choice": choice })).toolChoice).toBe(choice);
    }
    expect((await options({ tools, "tool-choice": "get_weather" })).toolChoice).toEqual({
      name: "get_weather",
    });
  });

  it.each([
    ["no list", {}, "no list of functions"],
    ["an empty list", [], "no list of functions"],
    ["a text in the list", ["get_weather"], "function 1 of --tools is no object"],
    ["another type", [{ type: "web_search" }], 'of the type "web_search"'],
    ["no name", [{ parameters: {} }], "function 1 of --tools has no name"],
    ["a name with a blank", [{ name: "get weather" }], 'has the name "get weather"'],
    ["parameters that are no schema", [{ name: "a", parameters: [] }], 'the parameters of "a"'],
    ["a description that is no text", [{ name: "a", description: 1 }], 'the description of "a"'],
    ["the same name twice", [{ name: "a" }, { name: "a" }], 'two functions of the name "a"'],
  ])("are refused when there is %s", (_, value, message) => {
    expect(() => parseTools(value)).toThrow(message);
  });

  it("need to be there for a choice among them", async () => {
    await expect(options({ "tool-choice": "auto" })).rejects.toThrow("--tool-choice needs --tools");
    const tools = JSON.stringify([weather]);
    await expect(options({ tools, "tool-choice": "get_wether" })).rejects.toMatchObject({
      message: '--tool-choice can\'t be "get_wether"',
      hint: "did you mean get_weather? it is one of auto, none, required, get_weather",
    });
  });
});

describe("the flags of an answer", () => {
  it("become the fields of a request", () => {
    const flags = {
      "max-tokens": 9,
      "min-tokens": 3,
      temperature: 0.5,
      "typical-p": 0.9,
      "ignore-eos": true,
      stop: ["."],
      thinking: false,
      speculation: false,
    };
    const request = answerOptions(flags);
    expect(Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined))).toEqual({
      maxTokens: 9,
      minTokens: 3,
      temperature: 0.5,
      typicalP: 0.9,
      ignoreEos: true,
      stop: ["."],
      templateVariables: { enable_thinking: false },
      speculation: false,
    });
  });

  it("leave the model's own choices alone when they are not given", () => {
    expect(Object.values(answerOptions({})).every((value) => value === undefined)).toBe(true);
    expect(Object.values(choiceOptions({})).every((value) => value === undefined)).toBe(true);
  });

  it("must not contradict each other", () => {
    expect(() => answerOptions({ speculation: true, deterministic: true })).toThrow(
      "--speculation and --deterministic",
    );
    expect(() => choiceOptions({ n: 3, "best-of": 2 })).toThrow("--best-of 2 is less than --n 3");
    expect(() => choiceOptions({ echo: true })).toThrow("--echo needs --raw");
    expect(() => choiceOptions({ logprobs: 0 })).toThrow("--logprobs needs --json");
    expect(choiceOptions({ n: 2, "best-of": 2, echo: true, raw: true, logprobs: 0, json: true })).toEqual({
      n: 2,
      bestOf: 2,
      echo: true,
      logprobs: 0,
    });
  });
});
