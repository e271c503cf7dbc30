import { describe, expect, it } from "vitest";
import type { Tool } from "../../../src/core/requests.js";
import { type ChatRequest, openChat } from "../../../src/core/text/chat.js";
import { createChatTemplate } from "../../../src/core/text/chat-template.js";
import { Detokenizer } from "../../../src/core/text/detokenizer.js";
import { compileGrammar, GrammarVocabulary } from "../../../src/core/text/grammar/index.js";
import { loadTokenizer } from "../../../src/core/text/tokenizer.js";
import { toolChoiceFormat } from "../../../src/core/text/tool-calls/index.js";
import { notations, parse, format as parserFormat } from "./answers.js";
import { fixture } from "./fixture.js";

const tools: Tool[] = [{ name: "f", parameters: { type: "object", properties: {} } }];
const body = "{% for m in messages %}{{ m.role + ': ' + m.content + '\\n' }}{% endfor %}";
const withTools = `{% if tools %}{{ tools | tojson }}\n{% endif %}${body}{# <tool_call> #}`;

async function open(template: string, request: Partial<ChatRequest>) {
  const tokenizer = await loadTokenizer(fixture("byte-level"));
  const model = { tokenizer, template: createChatTemplate({ chat_template: template }), modelType: "llama" };
  const prompt = [{ role: "user" as const, content: "hi" }];
  const chat = await openChat(model, { prompt, ...request });
  return { ...chat, text: tokenizer.decode(chat.tokens), tokenizer };
}

describe("opening a chat", () => {
  it("gives the prompt's tokens and leaves the model free", async () => {
    const chat = await open(withTools, {});
    expect(chat.text).toBe("user: hi\n");
    expect(chat.format).toBeUndefined();
  });

  it("offers tools, and hides them where none shall be called", async () => {
    expect((await open(withTools, { tools })).text).toContain('"name": "f"');
    expect((await open(withTools, { tools, toolChoice: "none" })).text).toBe("user: hi\n");
  });

  it("reads calls only where tools were offered", async () => {
    const call = '<tool_call>{"name": "f", "arguments": {}}</tool_call>';
    const offered = (await open(withTools, { tools })).newParser();
    expect(offered.push(call)).toMatchObject([{ type: "tool_call", name: "f" }]);
    const hidden = (await open(withTools, { tools, toolChoice: "none" })).newParser();
    expect(hidden.push(call)).toEqual([{ type: "text", text: call }]);
  });

  it("makes the model call where a call is required", async () => {
    const call = { parts: [{ text: '<tool_call>\n{"name": "f", "arguments": ' }, {}, {}] };
    expect((await open(withTools, { tools, toolChoice: { name: "f" } })).format).toMatchObject(call);
    expect((await open(withTools, { tools, toolChoice: "required" })).format).toMatchObject({
      type: "repeat",
      part: call,
    });
    // The template knows no tools: hfms explains them in the same notation.
    const plain = await open(body, { tools, toolChoice: "required", parallelToolCalls: false });
    expect(plain.text).toMatch(/^system: You can call/);
    expect(plain.format).toMatchObject(call);
  });

  it("lets a model that may call or answer in a format do either", async () => {
    const format = { type: "json_object" } as const;
    expect((await open(withTools, { tools, format })).format).toMatchObject({
      type: "any_of",
      options: [{ type: "repeat" }, format],
    });
    expect((await open(withTools, { format })).format).toEqual(format);
  });

  it("lets a model think before an answer in a format, unless the template has ended that", async () => {
    const format = { type: "json_object" } as const;
    const opened = await open(`${body}{{ '<think>\\n' }}`, { format });
    expect(opened.format).toMatchObject({ type: "sequence", parts: [{ type: "free_text" }, {}, {}, format] });
    expect(opened.newParser().push("Hm.</think>{")).toEqual([
      { type: "reasoning", text: "Hm." },
      { type: "text", text: "{" },
    ]);
    const ended = await open(`${body}{{ '<think>\\n\\n</think>\\n\\n' }}`, { format });
    expect(ended.format).toEqual(format);
  });

  it("has the detokenizer write out special tokens that are marks", async () => {
    const { tokenizer } = await open(body, {});
    const mark = tokenizer.tokenToId("<|im_start|>")!;
    expect(tokenizer.isSpecial(mark)).toBe(true);
    const ids = [mark, ...tokenizer.encode("x"), tokenizer.tokenToId("<|im_end|>")!];
    const read = (keep?: Set<number>) => {
      const detokenizer = new Detokenizer(tokenizer, { keep });
      return ids.map((id) => detokenizer.push(id)).join("") + detokenizer.flush();
    };
    expect(read()).toBe("x");
    expect(read(new Set([mark]))).toBe("<|im_start|>x");
  });

  it("refuses what can't be meant", async () => {
    await expect(open(withTools, { tools, toolChoice: { name: "g" } })).rejects.toMatchObject({
      code: "invalid_request",
      param: "toolChoice",
    });
    await expect(open(body, { tools })).rejects.toMatchObject({ code: "invalid_request", param: "tools" });
  });
});

describe("a grammar for calls", () => {
  it("writes marks that are special tokens as the tokens they are", async () => {
    const tokenizer = await loadTokenizer(fixture("byte-level"));
    const mark = tokenizer.tokenToId("<|im_start|>")!;
    const stop = tokenizer.tokenToId("<|im_end|>")!;
    const format = { type: "text", text: "<|im_start|>" } as const;
    const allows = async (keep?: ReadonlySet<number>) => {
      const size = tokenizer.vocabularySize;
      const vocabulary = new GrammarVocabulary(tokenizer, { size, stopTokens: [stop], keep });
      using matcher = (await compileGrammar(format, vocabulary)).matcher();
      return ((matcher.mask()[mark >> 5] >> (mark & 31)) & 1) === 1;
    };
    expect(await allows()).toBe(false);
    expect(await allows(new Set([mark]))).toBe(true);
  });

  it("can write what the parser reads, with every notation", async () => {
    const tokenizer = await loadTokenizer(fixture("byte-level"));
    const vocabulary = new GrammarVocabulary(tokenizer, { size: tokenizer.vocabularySize, stopTokens: [0] });
    for (const notation of notations) {
      const toolFormat = parserFormat(notation);
      const { before, callBefore, callAfter, separator, single, after } = toolFormat.notation;
      const call = `${callBefore("f")}{}${callAfter}`;
      const answer = before + (single ? call : [call, call].join(separator)) + after;
      const format = toolChoiceFormat(toolFormat, [{ name: "f" }], "required", { parallel: true })!;
      using matcher = (await compileGrammar(format, vocabulary)).matcher();
      for (const token of tokenizer.encode(answer, { addSpecialTokens: false })) {
        matcher.accept(token);
      }
      expect(parse({ toolFormat, tools }, [answer])).toMatchObject({
        text: "",
        calls: single ? [{ name: "f" }] : [{ name: "f" }, { name: "f" }],
      });
    }
  });
});
