import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chatCommand } from "../../src/cli/chat-commands.js";
import { ChatSettings } from "../../src/cli/chat-settings.js";
import { Conversation } from "../../src/cli/conversation.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "hfms-chat-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function spoken(): Conversation {
  const conversation = new Conversation("be brief");
  conversation.ask("hello");
  conversation.answer("hi");
  return conversation;
}

describe("a conversation", () => {
  it("gives the model the system message and everything said", () => {
    expect(spoken().messages).toEqual([
      { role: "system", content: "be brief" },
      { role: "user", content: "hello" },
      { role: "assistant", content: "hi" },
    ]);
  });

  it("keeps half an answer, and takes a question back that got no word of one", () => {
    const conversation = spoken();
    conversation.ask("more");
    conversation.answer("hal");
    conversation.ask("and?");
    conversation.answer("");
    expect(conversation.turns.map(({ content }) => content)).toEqual(["hello", "hi", "more", "hal"]);
  });
});

describe("what the model thought", () => {
  it("is kept beside the answer, not in it, and is saved and loaded with it", async () => {
    const conversation = new Conversation();
    conversation.ask("why?");
    conversation.answer("because", "hm, why");
    expect(conversation.turns.at(-1)).toEqual({
      role: "assistant",
      content: "because",
      reasoning: "hm, why",
    });
    const file = path.join(folder, "thoughts.json");
    await conversation.save(file, "tiny");
    const other = new Conversation();
    await other.load(file);
    expect(other.messages).toEqual(conversation.messages);
  });
});

describe("a line with a slash", () => {
  const run = (line: string, conversation = spoken(), settings = new ChatSettings({})) =>
    chatCommand(line, { conversation, settings, model: "tiny" });

  it("lists the commands", async () => {
    const help = await run("/help");
    for (const name of ["/help", "/system", "/set", "/show", "/save", "/load", "/clear", "/exit"])
      expect(help).toContain(name);
  });

  it("sets and shows the system message", async () => {
    const conversation = spoken();
    expect(await run("/system", conversation)).toBe("be brief");
    await run("/system talk like a pirate", conversation);
    expect(conversation.messages[0]).toEqual({ role: "system", content: "talk like a pirate" });
  });

  it("forgets what was said but for the system message", async () => {
    const conversation = spoken();
    await run("/clear", conversation);
    expect(conversation.messages).toEqual([{ role: "system", content: "be brief" }]);
  });

  it("saves a conversation that another one loads", async () => {
    const file = path.join(folder, "talk of today.json");
    await run(`/save ${file}`);
    const other = new Conversation();
    expect(await run(`/load ${file}`, other)).toBe(`loaded 2 messages from ${file}`);
    expect(other.messages).toEqual(spoken().messages);
  });

  it.each(["not json", "null", "[]", '{"messages":"x"}', '{"messages":[{"role":"king","content":"x"}]}'])(
    "refuses to load %s, and keeps what was there",
    async (text) => {
      const file = path.join(folder, "bad.json");
      await writeFile(file, text);
      const conversation = spoken();
      await expect(run(`/load ${file}`, conversation)).rejects.toThrow("is not a saved conversation");
      expect(conversation.turns).toHaveLength(2);
    },
  );

  it("changes, shows and takes back settings", async () => {
    const settings = new ChatSettings({ seed: 7 });
    const set = (line: string) => run(line, spoken(), settings);
    expect(await set("/set temperature 0.5")).toBe("temperature is 0.5");
    expect(await set("/set TOP_P 0.9")).toBe("top-p is 0.9");
    expect(await set("/set thinking off")).toBe("thinking is off");
    expect(settings.request).toEqual({
      seed: 7,
      temperature: 0.5,
      topP: 0.9,
      templateVariables: { enable_thinking: false },
    });
    expect(await set("/show")).toBe("temperature  0.5\ntop-p        0.9\nseed         7\nthinking     off");
    for (const name of ["temperature", "top-p", "seed", "thinking"]) {
      expect(await set(`/set ${name}`)).toBe(`${name} is the model's own choice again`);
    }
    expect(await set("/set")).toMatch(/as the model's authors chose/);
  });

  it("refuses a setting out of its range, and one that there isn't, and keeps what was", async () => {
    const settings = new ChatSettings({});
    const set = (line: string) => run(line, spoken(), settings);
    await expect(set("/set temperature -1")).rejects.toMatchObject({
      message: 'temperature can\'t be "-1"',
      hint: "it is a number, 0 or more",
    });
    await expect(set("/set thinking maybe")).rejects.toThrow('thinking can\'t be "maybe"');
    await expect(set("/set temprature 1")).rejects.toMatchObject({
      message: 'there is no setting "temprature"',
      hint: expect.stringContaining("did you mean temperature?"),
    });
    expect(settings.request).toEqual({});
  });

  it("leaves", async () => {
    expect(await run("/exit")).toBeUndefined();
  });

  it("says so when it is unknown, and what is near", async () => {
    await expect(run("/claer")).rejects.toMatchObject({
      message: "there is no command /claer",
      hint: expect.stringContaining("did you mean /clear?"),
    });
    await expect(run("/save")).rejects.toThrow("/save needs the name of a file");
  });
});
