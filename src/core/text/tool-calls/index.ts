import type { OutputFormat, Tool, ToolChoice } from "../../requests.js";
import { deepseek } from "./deepseek.js";
import { gemma } from "./gemma.js";
import { hermes, hermesFormat } from "./hermes.js";
import { json } from "./json.js";
import { llama3 } from "./llama3.js";
import { mistral } from "./mistral.js";
import { phi } from "./phi.js";
import type { ModelTraits, ToolCallFamily, ToolCallFormat, ToolCallFormatName } from "./types.js";

export type { ToolCallFormat } from "./types.js";

/** The notations. Each is asked in this order whether a model is its own. */
export const toolCallFamilies = { mistral, deepseek, gemma, hermes, phi, llama3, json } satisfies Record<
  ToolCallFormatName,
  ToolCallFamily
>;

/**
 * Which notation a model speaks: by its chat template's words, else by its special tokens and model_type; `json` when
 * nothing says otherwise. A template without tools gets Hermes': the instructions are hfms's own then.
 */
export function toolCallFormatOf(model: ModelTraits): ToolCallFormat {
  const families: ToolCallFamily[] = Object.values(toolCallFamilies);
  const { template } = model;
  if (template !== undefined) {
    if (!/\btools\b/.test(template)) return hermesFormat;
    for (const family of families) {
      const format = family.ofTemplate({ ...model, template });
      if (format) return format;
    }
  }
  for (const family of families) {
    const format = family.ofModel(model);
    if (format) return format;
  }
  throw new Error("json is the format of every model");
}

/**
 * What makes the model call as `choice` says, arguments by their schemas: one call, or with `parallel` one or more.
 * Undefined for `none` and `auto`: there the model is free.
 */
export function toolChoiceFormat(
  { notation }: ToolCallFormat,
  tools: readonly Tool[],
  choice: ToolChoice,
  { parallel }: { parallel: boolean },
): OutputFormat | undefined {
  if (choice === "none" || choice === "auto") return undefined;
  const offered = choice === "required" ? tools : tools.filter(({ name }) => name === choice.name);
  const options: OutputFormat[] = offered.map((tool) => ({
    type: "sequence",
    parts: [
      { type: "text", text: notation.callBefore(tool.name) },
      { type: "json_schema", schema: argumentsSchema(tool) },
      ...text(notation.callAfter),
    ],
  }));
  const call: OutputFormat = options.length === 1 ? options[0] : { type: "any_of", options };
  const many: OutputFormat = {
    type: "repeat",
    part: call,
    min: 1,
    ...(notation.separator === "" ? {} : { separator: notation.separator }),
  };
  const calls = parallel && !notation.single && choice === "required" ? many : call;
  const parts = [...text(notation.before), calls, ...text(notation.after)];
  return parts.length === 1 ? parts[0] : { type: "sequence", parts };
}

function text(words: string): OutputFormat[] {
  return words === "" ? [] : [{ type: "text", text: words }];
}

/** Arguments are an object, also where the schema says nothing of it. */
function argumentsSchema({ parameters }: Tool): { [keyword: string]: unknown } {
  if (parameters === undefined || typeof parameters === "boolean") return { type: "object" };
  return parameters.type === undefined ? { ...parameters, type: "object" } : parameters;
}
