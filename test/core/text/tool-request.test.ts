import { describe, expect, it } from "vitest";
import { checkToolRequest } from "../../../src/core/text/tool-request.js";

const user = { role: "user" as const, content: "hi" };
const refused = (request: Parameters<typeof checkToolRequest>[0]) => {
  try {
    checkToolRequest(request);
  } catch (error) {
    return error as { code: string; message: string; param: string };
  }
  throw new Error("nothing was refused");
};

describe("a request with tools", () => {
  it("may name its functions as OpenAI and MCP do", () => {
    const tools = [{ name: "get_weather" }, { name: "files.read-all" }];
    expect(() =>
      checkToolRequest({ prompt: "hi", tools, toolChoice: { name: "get_weather" } }),
    ).not.toThrow();
    expect(() => checkToolRequest({ prompt: [user], toolChoice: "auto" })).not.toThrow();
  });

  it.each(["", "a b", 'x"', "ü", "x".repeat(129)])("can't have a function called %j", (name) => {
    expect(refused({ prompt: [user], tools: [{ name }] })).toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining(JSON.stringify(name)),
      param: "tools",
    });
  });

  it("can't have two functions of one name", () => {
    expect(refused({ prompt: [user], tools: [{ name: "f" }, { name: "f" }] })).toMatchObject({
      code: "invalid_request",
      message: 'two tools have the name "f"',
      param: "tools",
    });
  });

  it("can't require what isn't there", () => {
    expect(refused({ prompt: [user], tools: [{ name: "f" }], toolChoice: { name: "g" } })).toMatchObject({
      message: expect.stringContaining('"g"'),
      hint: "the tools are f",
      param: "toolChoice",
    });
    expect(refused({ prompt: [user], toolChoice: "required" })).toMatchObject({ param: "toolChoice" });
  });

  it("says which call a result answers, and has calls of the assistant only", () => {
    expect(refused({ prompt: [user, { role: "tool", content: "1" }] })).toMatchObject({
      code: "invalid_request",
      message: "a tool message doesn't say which call it answers",
      param: "messages",
    });
    const toolCalls = [{ id: "1", name: "f", arguments: "{}" }];
    expect(refused({ prompt: [{ ...user, toolCalls }] })).toMatchObject({ param: "messages" });
    const [call] = toolCalls;
    const broken = [{ ...call, arguments: "{" }];
    expect(refused({ prompt: [{ role: "assistant", content: "", toolCalls: broken }] })).toMatchObject({
      message: 'the arguments of a call of "f" are no JSON object: {',
      param: "messages",
    });
  });
});
