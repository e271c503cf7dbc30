import path from "node:path";
import { HfmsError } from "../errors.js";
import type { ChatMessage, Tool, ToolChoice } from "../requests.js";
import { contentOf } from "./special-tokens.js";
import { strftime } from "./strftime.js";
import { messagesForTemplate, toolsForTemplate } from "./template-messages.js";
import { type TemplateTraits, templateTraits } from "./template-traits.js";
import { readJson, readText, readTokenizerConfig } from "./tokenizer-files.js";
import { withToolInstructions, withWrittenCalls } from "./tool-instructions.js";
import type { Tokenizer, TokenizerConfig } from "./types.js";

export interface RenderOptions {
  /** End with the words that open the assistant's turn; on by default. */
  addGenerationPrompt?: boolean;
  /** Functions that the model may call. */
  tools?: readonly Tool[];
  /** How much the caller wants a call: a template without tools is an error under `auto`, the default. */
  toolChoice?: ToolChoice;
  /** Which of several named templates; by default "tool_use" when there are tools and it exists, else "default". */
  name?: string;
  /** More variables of the template (enable_thinking, documents, …). */
  variables?: Record<string, unknown>;
  /** What `strftime_now` shows. */
  now?: Date;
}

/** A model's chat templates. Without one `hasTemplate` is false and `render` throws invalid_request. */
export interface ChatTemplate {
  hasTemplate: boolean;
  /** Names of the templates; a single one is "default". */
  names: string[];
  /** The text of the template that `render` would use; undefined where there is none. */
  source(options?: Pick<RenderOptions, "name" | "tools">): string | undefined;
  /** The conversation as the text that the model was trained on, special tokens written out. */
  render(messages: readonly ChatMessage[], options?: RenderOptions): Promise<string>;
}

/**
 * The chat templates of a directory in Hub layout. chat_template.jinja goes before chat_template.json and both before
 * tokenizer_config.json, as in transformers; additional_chat_templates/ is read by name on demand there and not here.
 */
export async function loadChatTemplate(directory: string, signal?: AbortSignal): Promise<ChatTemplate> {
  const [config, jinja, json] = await Promise.all([
    readTokenizerConfig(directory, signal),
    readText(path.join(directory, "chat_template.jinja"), signal),
    readJson<Pick<TokenizerConfig, "chat_template">>(path.join(directory, "chat_template.json"), signal),
  ]);
  return createChatTemplate({
    ...config,
    chat_template: jinja ?? json?.chat_template ?? config.chat_template,
  });
}

/** The chat templates that tokenizer_config.json holds: one, or a list with names. */
export function createChatTemplate(config: TokenizerConfig): ChatTemplate {
  const templates = readTemplates(config.chat_template);
  const names = [...templates.keys()];
  const compiled = new Map<string, CompiledTemplate>();
  const nameFor = ({ name, tools }: Pick<RenderOptions, "name" | "tools">) => {
    if (name !== undefined) return name;
    const usual = tools?.length && templates.has("tool_use") ? "tool_use" : "default";
    return templates.has(usual) ? usual : (names[0] ?? usual);
  };
  return {
    hasTemplate: templates.size > 0,
    names,
    source: (options = {}) => templates.get(nameFor(options)),
    async render(messages, options = {}) {
      const name = nameFor(options);
      const source = templates.get(name);
      if (source === undefined) throw missing(name, names);
      let template = compiled.get(name);
      if (!template) compiled.set(name, (template = await compile(source)));
      return renderTemplate(template, messages, config, options);
    },
  };
}

/**
 * Token ids of a conversation. The template writes BOS and the other special tokens itself, so the post-processor
 * must not add them once more.
 */
export async function encodeChat(
  tokenizer: Tokenizer,
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  options: RenderOptions = {},
): Promise<number[]> {
  return tokenizer.encode(await template.render(messages, options), { addSpecialTokens: false });
}

interface CompiledTemplate {
  source: string;
  render(variables: Record<string, unknown>): string;
  /** What it does with tools; found out at the first use. */
  traits?: TemplateTraits;
}

function readTemplates(value: TokenizerConfig["chat_template"]): Map<string, string> {
  if (typeof value === "string") return new Map([["default", value]]);
  if (!Array.isArray(value)) return new Map();
  return new Map(value.map(({ name, template }) => [String(name), String(template)]));
}

async function compile(source: string): Promise<CompiledTemplate> {
  const { Environment, Interpreter, parse, tokenize } = await import("@huggingface/jinja");
  try {
    const program = parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
    return {
      source,
      // The library's Template declares its globals first and refuses to have strftime_now replaced.
      render(variables) {
        const environment = new Environment();
        for (const [name, value] of Object.entries({ ...globals, ...variables }))
          environment.set(name, value);
        return String(new Interpreter(environment).run(program).value);
      },
    };
  } catch (error) {
    throw new HfmsError(
      "unsupported_model",
      `the model's chat template can't be read: ${(error as Error).message}`,
      {
        hint: "give the prompt as it is with --raw",
        cause: error,
      },
    );
  }
}

const globals = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
  range,
  raise_exception: (message: string) => {
    throw new Refusal(message);
  },
};

/** The template's own words, against what its rendering stumbles over. */
class Refusal extends Error {}

/** Templates loop over messages and tools; a longer range is a template that never ends. */
const MAX_RANGE = 100_000;

function range(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (!(length <= MAX_RANGE)) throw new Error(`range of ${length} numbers`);
  return Array.from({ length }, (_, i) => start + i * step);
}

function renderTemplate(
  template: CompiledTemplate,
  messages: readonly ChatMessage[],
  config: TokenizerConfig,
  { addGenerationPrompt = true, toolChoice, variables, now = new Date(), ...options }: RenderOptions,
): string {
  const tools = toolChoice === "none" ? [] : (options.tools ?? []);
  const render = (shaped: Record<string, unknown>[], shapedTools: unknown[] | null, more?: object) =>
    template.render({
      ...specialTokenVariables(config),
      ...more,
      messages: shaped,
      add_generation_prompt: addGenerationPrompt,
      // Templates test `tools is not none` or just `tools`; null answers both.
      tools: shapedTools,
      documents: variables?.documents ?? null,
      strftime_now: (format: string) => strftime(format, now),
    });
  const usesTools = tools.length > 0 || messages.some(({ role, toolCalls }) => role === "tool" || toolCalls);
  if (usesTools) template.traits ??= templateTraits(template.source, render);
  const traits = template.traits ?? templateTraits(template.source);
  const conversation = conversationFor(traits, messages, tools, toolChoice);
  const shaped = messagesForTemplate(conversation, traits, tools);
  try {
    return render(
      shaped,
      tools.length > 0 && traits.tools === "variable" ? toolsForTemplate(tools) : null,
      variables,
    );
  } catch (error) {
    if (error instanceof Refusal) {
      throw new HfmsError("invalid_request", `the model's chat template refused: ${error.message}`, {
        param: "messages",
        cause: error,
      });
    }
    throw new HfmsError(
      "unsupported_model",
      `the model's chat template can't be rendered: ${(error as Error).message}`,
      { hint: "give the prompt as it is with --raw", cause: error },
    );
  }
}

/** The conversation, with what the template can't write (tools, calls, results) written into its messages. */
function conversationFor(
  traits: TemplateTraits,
  messages: readonly ChatMessage[],
  tools: readonly Tool[],
  toolChoice: ToolChoice = "auto",
): readonly ChatMessage[] {
  const written = traits.calls === "none" ? withWrittenCalls(messages) : messages;
  if (tools.length === 0 || traits.tools !== "none") return written;
  if (toolChoice === "auto") {
    throw new HfmsError("invalid_request", "the model's chat template knows no tools", {
      hint: "use a model that was trained to call functions, or make the call required",
      param: "tools",
    });
  }
  return withToolInstructions(written, tools);
}

/** bos_token, eos_token, pad_token, …: templates write them where they belong. */
function specialTokenVariables(config: TokenizerConfig): Record<string, string> {
  const variables: Record<string, string> = { bos_token: "", eos_token: "" };
  for (const [key, value] of Object.entries(config)) {
    const content = key.endsWith("_token") ? contentOf(value) : undefined;
    if (content !== undefined) variables[key] = content;
  }
  return variables;
}

function missing(name: string, names: string[]): HfmsError {
  if (names.length === 0) {
    return new HfmsError(
      "invalid_request",
      "the model has no chat template: it continues text, it doesn't converse",
      {
        hint: "give the prompt as it is with --raw",
      },
    );
  }
  return new HfmsError("invalid_request", `the model has no chat template named "${name}"`, {
    hint: `it has ${names.join(", ")}`,
  });
}
