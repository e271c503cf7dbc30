import { mkdtemp, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { createChatTemplate, encodeChat, loadChatTemplate } from "../../../src/core/text/chat-template.js";
import { loadTokenizer } from "../../../src/core/text/tokenizer.js";
import { fixture } from "./fixture.js";

const chatml =
  "{% for message in messages %}\n{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}\n" +
  "{% endfor %}\n{% if add_generation_prompt %}\n{{ '<|im_start|>assistant\\n' }}\n{% endif %}\n";

const user = [{ role: "user" as const, content: "hi" }];

describe("a chat template", () => {
  it("writes the conversation and opens the assistant's turn", async () => {
    const template = createChatTemplate({ chat_template: chatml });
    expect(template.hasTemplate).toBe(true);
    expect(await template.render(user)).toBe("<|im_start|>user\nhi<|im_end|>\n\n<|im_start|>assistant\n\n");
    expect(await template.render(user, { addGenerationPrompt: false })).toBe(
      "<|im_start|>user\nhi<|im_end|>\n\n",
    );
  });

  it("knows the special tokens, strings or objects, and their absence", async () => {
    const source = "{{ bos_token }}|{{ eos_token }}|{{ image_token }}";
    const config = { chat_template: source, bos_token: { content: "<s>" }, image_token: "<image>" };
    expect(await createChatTemplate(config).render(user)).toBe("<s>||<image>");
  });

  it("gives tools, the date and the caller's variables to the template", async () => {
    const source =
      "{{ strftime_now('%d %b %Y, %-d %B %y %H:%M:%S %I %p %a %A %%') }} {{ tools | map(attribute='function') | map(attribute='name') | join('+') if tools else 'none' }} {{ thinking }}" +
      "{% for i in range(1, 6, 2) %} {{ i }}{% endfor %}";
    const template = createChatTemplate({ chat_template: source });
    const now = new Date(2026, 2, 7, 15, 4, 5);
    expect(await template.render(user, { now, variables: { thinking: true } })).toBe(
      "07 Mar 2026, 7 March 26 15:04:05 03 PM Sat Saturday % none true 1 3 5",
    );
    expect(
      await template.render(user, { now, tools: [{ name: "f" }, { name: "g" }], variables: { thinking: 1 } }),
    ).toContain(" f+g 1 1 3 5");
  });

  it("reads `tools is none` and `tools is defined` as transformers does", async () => {
    const template = createChatTemplate({
      chat_template: "{{ tools is none }} {{ tools is defined }} {{ nothing is defined }}",
    });
    expect(await template.render(user)).toBe("true true false");
  });

  it("chooses among named templates", async () => {
    const template = createChatTemplate({
      chat_template: [
        { name: "default", template: "plain" },
        { name: "tool_use", template: "with {{ tools }}" },
        { name: "rag", template: "with documents" },
      ],
    });
    expect(template.names).toEqual(["default", "tool_use", "rag"]);
    expect(await template.render(user)).toBe("plain");
    expect(await template.render(user, { tools: [{ name: "f" }] })).toMatch(/^with .*"f"/);
    expect(await template.render(user, { name: "rag" })).toBe("with documents");
    await expect(template.render(user, { name: "other" })).rejects.toMatchObject({
      code: "invalid_request",
      hint: expect.stringContaining("rag"),
    });
  });

  it("passes the template's own refusal on", async () => {
    const template = createChatTemplate({
      chat_template:
        "{% if messages[0].role != 'user' %}{{ raise_exception('Conversations start with a user') }}{% endif %}ok",
    });
    expect(await template.render(user)).toBe("ok");
    await expect(template.render([{ role: "assistant", content: "" }])).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("Conversations start with a user"),
      param: "messages",
    });
  });

  it("says that a broken template is the model's fault", async () => {
    const template = createChatTemplate({ chat_template: "{% for message in %}" });
    await expect(template.render(user)).rejects.toMatchObject({ code: "unsupported_model" });
  });

  it("says so where a template uses what the renderer lacks", async () => {
    const template = createChatTemplate({ chat_template: "{{ messages | frobnicate }}" });
    await expect(template.render(user)).rejects.toMatchObject({
      code: "unsupported_model",
      message: expect.stringContaining("frobnicate"),
    });
  });

  it("stops a template that counts for ever", async () => {
    const template = createChatTemplate({ chat_template: "{% for i in range(1000000000) %}{% endfor %}" });
    await expect(template.render(user)).rejects.toThrow("range");
  });

  it("is told apart from a model without one", async () => {
    const template = createChatTemplate({});
    expect(template).toMatchObject({ hasTemplate: false, names: [] });
    await expect(template.render(user)).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringContaining("no chat template"),
      hint: expect.stringContaining("--raw"),
    });
  });

  it("can't change the caller's messages", async () => {
    const messages = [{ role: "user" as const, content: "hi" }];
    await createChatTemplate({ chat_template: chatml }).render(Object.freeze(messages));
    expect(messages).toEqual(user);
  });
});

describe("loading a chat template", () => {
  it("takes chat_template.jinja first, then chat_template.json, then tokenizer_config.json", async () => {
    const directory = await mkdtemp(path.join(os.tmpdir(), "hfms-chat-"));
    const put = (name: string, content: string) => writeFile(path.join(directory, name), content);
    expect((await loadChatTemplate(directory)).hasTemplate).toBe(false);
    await put(
      "tokenizer_config.json",
      JSON.stringify({ chat_template: "config{{ bos_token }}", bos_token: "<s>" }),
    );
    expect(await (await loadChatTemplate(directory)).render(user)).toBe("config<s>");
    await put("chat_template.json", JSON.stringify({ chat_template: "json{{ bos_token }}" }));
    expect(await (await loadChatTemplate(directory)).render(user)).toBe("json<s>");
    await put("chat_template.jinja", "jinja{{ bos_token }}\n");
    expect(await (await loadChatTemplate(directory)).render(user)).toBe("jinja<s>");
  });
});

describe("encoding a conversation", () => {
  it("doesn't add the BOS that the template wrote", async () => {
    const tokenizer = await loadTokenizer(fixture("byte-level"));
    const template = createChatTemplate({
      chat_template: `{{ bos_token }}${chatml}`,
      bos_token: "<|endoftext|>",
    });
    const ids = await encodeChat(tokenizer, template, user);
    expect(ids.slice(0, 2)).toEqual(
      ["<|endoftext|>", "<|im_start|>"].map((token) => tokenizer.tokenToId(token)),
    );
    expect(ids.filter((id) => id === tokenizer.tokenToId("<|endoftext|>"))).toHaveLength(1);
    // The same text through the post-processor would have two.
    expect(tokenizer.encode(await template.render(user)).slice(0, 2)).toEqual([ids[0], ids[0]]);
  });
});
