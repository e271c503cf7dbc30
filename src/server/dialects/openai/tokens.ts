import { z } from "zod";
import type { DetokenizeEvent, TokenizeEvent } from "../../../core/index.js";
import { runModel } from "../../model-run.js";
import { route } from "../../route.js";
import { chatMessages, messages } from "./chat-completions/messages.js";
import { chatCompletionRequest } from "./chat-completions/schemas.js";
import { toolFields, toolsOf } from "./chat-completions/tools.js";
import { modelName, optional, schedulingFields, unsupported } from "./fields.js";
import { withParamNames } from "./param-names.js";
import { checkItems, text, tokenIds } from "./text-input.js";

const tokenizeRequest = z
  .object({
    model: modelName,
    prompt: optional(text).describe("A text; or `messages` instead."),
    messages: optional(messages).describe("A conversation, through the model's chat template."),
    tools: toolFields.tools,
    chat_template_kwargs: chatCompletionRequest.shape.chat_template_kwargs,
    add_special_tokens: optional(z.boolean()).describe(
      "The special tokens around a text, as the model reads it: default true. A chat template writes its own.",
    ),
    return_token_strs: optional(z.boolean()).describe("Also tell the vocabulary's strings for the tokens."),
    add_generation_prompt: unsupported(
      "the template always opens the answer, as it does for the model",
      true,
    ),
    continue_final_message: unsupported("the answer is always a message of its own", false),
    keep_alive: schedulingFields.keep_alive,
  })
  .superRefine(({ prompt, messages: conversation, add_special_tokens: special, tools }, context) => {
    const issue = (field: string, message: string) =>
      context.addIssue({ code: "custom", path: [field], message });
    if (prompt === undefined && conversation === undefined) issue("prompt", "is missing; or give `messages`");
    if (prompt !== undefined && conversation !== undefined)
      issue("prompt", "can't be given beside `messages`");
    if (conversation && special)
      issue("add_special_tokens", "is false for `messages`: their template writes its own");
    if (tools && !conversation) issue("tools", "need `messages`");
  });

const tokenizeResponse = z.object({
  count: z.int(),
  max_model_len: z.int().describe("Tokens that the model has room for, answer included."),
  tokens: z.array(z.int()),
  token_strs: z.array(z.string()).nullable(),
});

/** In vLLM's form. */
export const tokenize = route({
  method: "POST",
  paths: ["/tokenize"],
  scope: "infer",
  tag: "Text",
  summary: "tell the tokens of a text or a conversation",
  example: { model: "gpt2", prompt: "Once upon a time" },
  body: tokenizeRequest,
  response: tokenizeResponse,
  async handle(request): Promise<z.output<typeof tokenizeResponse>> {
    const { body, server } = request;
    const { prompt, messages: conversation, chat_template_kwargs: templateVariables } = body;
    checkItems(conversation?.length ?? 1, "messages", server.config);
    const choice = server.models.choice(body.model, { keepAlive: body.keep_alive });
    const asked = {
      ...choice,
      texts: [conversation ? chatMessages(conversation) : (prompt ?? "")],
      addSpecialTokens: body.add_special_tokens,
      words: body.return_token_strs,
      tools: toolsOf({ tools: body.tools, tool_choice: undefined, parallel_tool_calls: undefined }).tools,
      templateVariables,
    };
    const { ready, events } = await runModel<TokenizeEvent>(request, choice, (signal) =>
      withParamNames(server.engine.tokenize(asked, signal), { prompt: conversation ? "messages" : "prompt" }),
    );
    for await (const event of events) {
      const { ids, words = null } = event;
      return { count: ids.length, max_model_len: ready?.contextLength ?? 0, tokens: ids, token_strs: words };
    }
    throw new TypeError("an answer ended without its end");
  },
});

const detokenizeRequest = z.object({
  model: modelName,
  tokens: tokenIds,
  skip_special_tokens: optional(z.boolean()).describe("Extension: leave out special tokens. Default false."),
  keep_alive: schedulingFields.keep_alive,
});

const detokenizeResponse = z.object({ prompt: z.string() });

/** In vLLM's form. */
export const detokenize = route({
  method: "POST",
  paths: ["/detokenize"],
  scope: "infer",
  tag: "Text",
  summary: "tell the text of tokens",
  example: { model: "gpt2", tokens: [7454, 2402, 257, 640] },
  body: detokenizeRequest,
  response: detokenizeResponse,
  async handle(request): Promise<z.output<typeof detokenizeResponse>> {
    const { body, server } = request;
    const choice = server.models.choice(body.model, { keepAlive: body.keep_alive });
    const asked = { ...choice, tokens: [body.tokens], skipSpecialTokens: body.skip_special_tokens };
    const { events } = await runModel<DetokenizeEvent>(request, choice, (signal) =>
      server.engine.detokenize(asked, signal),
    );
    for await (const event of events) return { prompt: event.text };
    throw new TypeError("an answer ended without its end");
  },
});
