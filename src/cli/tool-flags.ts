import * as Flags from "@oclif/core/flags";
import {
  type GenerateRequest,
  HfmsError,
  type JsonSchema,
  type Tool,
  type ToolChoice,
} from "../core/index.js";
import { readJson } from "./json-input.js";
import { nearest } from "./nearest.js";

const helpGroup = "TOOL";

export const toolFlags = {
  tools: Flags.string({
    helpGroup,
    helpValue: "<file>",
    summary:
      "functions that the model may ask for: a JSON list in OpenAI's notation, in a file or itself, […]",
  }),
  "tool-choice": Flags.string({
    helpGroup,
    helpValue: "<choice>",
    summary: "auto, none, required, or the name of the function that it must ask for",
  }),
};

/** The tools and the choice that the flags name; a file is read. Throws invalid_request and file_error. */
export async function toolOptions(
  flags: { tools?: string; "tool-choice"?: string },
  signal: AbortSignal,
): Promise<Pick<GenerateRequest, "tools" | "toolChoice">> {
  const choice = flags["tool-choice"];
  if (flags.tools === undefined) {
    if (choice === undefined) return {};
    throw new HfmsError("invalid_request", "--tool-choice needs --tools", {
      hint: "give the functions with --tools",
      param: "tool-choice",
    });
  }
  const tools = parseTools(await readJson(flags.tools, { flag: "tools", signal }));
  return { tools, toolChoice: choice === undefined ? undefined : parseToolChoice(choice, tools) };
}

/** Tools in OpenAI's notation ({"type":"function","function":{…}}) or bare ({"name",…}). */
export function parseTools(value: unknown): Tool[] {
  const list = isObject(value) && "tools" in value ? value.tools : value;
  if (!Array.isArray(list) || list.length === 0) {
    throw fault("--tools has no list of functions");
  }
  const tools = list.map(parseTool);
  const twice = tools.find(({ name }, i) => tools.findIndex((tool) => tool.name === name) < i);
  if (twice) throw fault(`--tools has two functions of the name "${twice.name}"`);
  return tools;
}

function parseTool(value: unknown, index: number): Tool {
  const where = `function ${index + 1} of --tools`;
  if (!isObject(value)) throw fault(`${where} is no object`);
  if (value.type !== undefined && value.type !== "function") {
    throw fault(`${where} is of the type ${JSON.stringify(value.type)}; there are only functions`);
  }
  const tool = value.function ?? value;
  if (!isObject(tool)) throw fault(`${where} is no object`);
  const { name, description, parameters } = tool;
  if (typeof name !== "string" || !/^[\w.-]{1,64}$/.test(name)) {
    const typed = name === undefined ? "no name" : `the name ${JSON.stringify(name)}`;
    throw fault(`${where} has ${typed}; a name is 1 to 64 letters, digits, dots, dashes and underscores`);
  }
  if (description !== undefined && typeof description !== "string") {
    throw fault(`the description of "${name}" in --tools is no text`);
  }
  if (parameters !== undefined && !isObject(parameters)) {
    throw fault(`the parameters of "${name}" in --tools are no JSON Schema`);
  }
  return { name, description, parameters: parameters as JsonSchema | undefined };
}

function parseToolChoice(typed: string, tools: Tool[]): ToolChoice {
  if (typed === "auto" || typed === "none" || typed === "required") return typed;
  const names = tools.map(({ name }) => name);
  if (names.includes(typed)) return { name: typed };
  const options = ["auto", "none", "required", ...names];
  const meant = nearest(typed, options);
  throw new HfmsError("invalid_request", `--tool-choice can't be "${typed}"`, {
    hint: `${meant ? `did you mean ${meant}? ` : ""}it is one of ${options.join(", ")}`,
    param: "tool-choice",
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fault(message: string): HfmsError {
  return new HfmsError("invalid_request", message, {
    hint: 'for example [{"type":"function","function":{"name":"get_weather","parameters":{"type":"object"}}}]',
    param: "tools",
  });
}
