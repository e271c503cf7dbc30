import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { golden } from "../golden/reference.js";
import { hfms, temporaryHome } from "./hfms.js";

const home = temporaryHome();
const { directory } = golden("llama-gqa");
const run = ["run", directory, "--dtype", "fp32", "--temperature", "0"];

/** The tiny model's weights are random: whatever fits these formats, it is the format that makes it so. */
const city = { enum: ["Paris", "Rome"] };
const place = { type: "object", properties: { city }, required: ["city"], additionalProperties: false };

describe("an answer's format", () => {
  it("is one of the choices", async () => {
    const answers = ["--choice", "yes", "--choice", "no"];
    const { code, stdout, stderr } = await hfms(home(), [...run, ...answers, "Is a tomato a fruit?"]);
    expect(stdout).toMatch(/^(yes|no)\n$/);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const chat = await hfms(home(), ["chat", ...run.slice(1), ...answers], { input: "Is a tomato a fruit?" });
    expect(chat.stdout).toBe(stdout);
  });

  it("is a pattern, or a grammar out of a file", async () => {
    const grammar = path.join(home(), "move.ebnf");
    await writeFile(grammar, 'root ::= [a-h] [1-8] "-" [a-h] [1-8]\n');
    const answers = await Promise.all([
      hfms(home(), [...run, "--regex", "\\d{4}-\\d\\d", "When?"]),
      hfms(home(), [...run, "--grammar", grammar, "Your move."]),
    ]);
    expect(answers[0].stdout).toMatch(/^\d{4}-\d\d\n$/);
    expect(answers[1].stdout).toMatch(/^[a-h][1-8]-[a-h][1-8]\n$/);
  });

  it("is JSON that a schema allows, out of a file or as typed", async () => {
    const file = path.join(home(), "place.json");
    await writeFile(file, JSON.stringify(place));
    for (const schema of [file, JSON.stringify(place)]) {
      const { stdout } = await hfms(home(), [...run, "--schema", schema, "Where?"]);
      expect(city.enum).toContain(JSON.parse(stdout).city);
    }
  });

  it("holds for each of several answers", async () => {
    const { stdout } = await hfms(home(), [
      ...run.with(5, "1.5"),
      ...["-n", "4", "--seed", "3", "--choice", "red", "--choice", "green", "--json"],
      "Name a colour.",
    ]);
    const texts = JSON.parse(stdout).choices.map(({ text }: { text: string }) => text);
    expect(texts).toHaveLength(4);
    for (const text of texts) expect(["red", "green"]).toContain(text);
  });

  it.each([
    ["a pattern that is none", ["--regex", "[a-"], /the pattern "\[a-" can't be used/],
    ["a grammar without a root", ["--grammar", 'start ::= "a"'], /root/],
    ["a keyword that can't be held", ["--schema", '{"dependentSchemas":{"a":{}}}'], /dependentSchemas/],
  ])("is refused for %s, before anything is answered", async (_, flags, message) => {
    const { code, stdout, stderr } = await hfms(home(), [...run, ...flags, "Hi"]);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });
});

describe("a call that is asked for by name", () => {
  const tools = JSON.stringify([{ type: "function", function: { name: "get_weather", parameters: place } }]);
  const forced = [...run, "--tools", tools, "--tool-choice", "get_weather"];

  it("is a line of JSON, and nothing else", async () => {
    const { code, stdout, stderr } = await hfms(home(), [...forced, "Weather?"]);
    expect(stdout.split("\n")).toHaveLength(2);
    expect(JSON.parse(stdout)).toEqual({
      id: expect.any(String),
      name: "get_weather",
      arguments: { city: expect.stringMatching(/^(Paris|Rome)$/) },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  it("stands in the document, with the reason why the answer ended", async () => {
    const { output } = JSON.parse((await hfms(home(), [...forced, "--json", "Weather?"])).stdout);
    expect(output).toMatchObject({
      text: "",
      finish_reason: "tool_calls",
      tool_calls: [{ name: "get_weather", arguments: { city: expect.any(String) } }],
    });
  });
});
