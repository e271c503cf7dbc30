import { readFile } from "node:fs/promises";
import path from "node:path";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { golden } from "../golden/reference.js";
import { hfms, temporaryHome } from "./hfms.js";
import { hasTerminal, openTerminal } from "./terminal-session.js";

const home = temporaryHome();
const { directory, reference } = golden("llama-gqa");
const chat = ["chat", directory, "--dtype", "fp32"];
const brief = [...chat, "--temperature", "0", "--max-tokens", "8"];

/** The prompt with nothing after it: a tiny model's answer may hold anything, a line that starts like the prompt too. */
const atPrompt = /(^|\n)>\s*$/;

describe("hfms chat from a pipe", () => {
  it("answers once, as hfms run does", async () => {
    const question = reference.chats[0].messages.at(-1)!.content;
    const [chatted, ran] = await Promise.all([
      hfms(home(), brief, { input: `${question}\n` }),
      hfms(home(), ["run", ...brief.slice(1), question]),
    ]);
    expect(chatted).toEqual({ ...ran, code: 0 });
  });

  it("gives one JSON document", async () => {
    const { stdout } = await hfms(home(), [...brief, "--system", "Be brief.", "--json"], { input: "Hi" });
    expect(JSON.parse(stdout)).toMatchObject({ task: "text-generation", usage: { completion_tokens: 8 } });
  });
});

describe.skipIf(!hasTerminal)("hfms chat on a terminal", () => {
  const terminal = (...flags: string[]) => openTerminal(home(), [...chat, ...flags]);

  it("talks, remembers, saves, forgets and leaves", async () => {
    const file = path.join(home(), "talk.json");
    await using session = terminal("--max-tokens=8", "--system=Be brief.");
    await session.until(/\/help lists the commands/);
    await session.until(atPrompt);
    await session.type("/help\r");
    await session.until(/\/exit +leave/);
    await session.type("Hello there\r");
    await session.until(/Hello there\r?\n/);
    await session.until(atPrompt);
    await session.type(`/save ${file}\r`);
    await session.until(/saved to/);
    const { messages } = JSON.parse(await readFile(file, "utf8"));
    expect(messages.map(({ role }: { role: string }) => role)).toEqual(["system", "user", "assistant"]);
    expect(messages[1].content).toBe("Hello there");
    await session.type("/clear\r");
    await session.until(/forgotten/);
    await session.type("/claer\r");
    await session.until(/did you mean \/clear\?/);
    await session.type(`/load ${file}\r`);
    await session.until(/loaded 2 messages/);
    await session.type("/exit\r");
    expect((await session.ended).code).toBe(0);
  });

  it("takes a message of several lines", async () => {
    const file = path.join(home(), "lines.json");
    await using session = terminal("--max-tokens=8");
    await session.until(atPrompt);
    await session.type('"""one\r');
    await session.until(/\n…/);
    await session.type('two"""\r');
    await session.until(atPrompt);
    await session.type(`/save ${file}\r`);
    await session.until(/saved to/);
    expect(JSON.parse(await readFile(file, "utf8")).messages[0].content).toBe("one\ntwo");
    await session.type("\u0004");
    expect((await session.ended).code).toBe(0);
  });

  it("loads its model before the first question, and says which it is", async () => {
    await using session = terminal();
    await session.until(/llama-gqa[^\n]* \(fp32, cpu\): \/help lists the commands/);
    await session.until(atPrompt);
    await session.type("/exit\r");
    expect((await session.ended).code).toBe(0);
  });

  it("ends with the error where its model can't be loaded", async () => {
    await using session = openTerminal(home(), ["chat", golden("bert-mean").directory]);
    const { code, stdout: coloured } = await session.ended;
    const stdout = stripVTControlCharacters(coloured);
    expect(stdout).toMatch(/error: [\s\S]*hint: use `hfms embed`/);
    expect(stdout).not.toMatch(/^>/m);
    expect(code).toBe(8);
  });

  it("brings earlier lines back with the arrow keys, and what was being typed after them", async () => {
    const [up, down] = ["\u001b[A", "\u001b[B"];
    await using session = terminal("--max-tokens=8");
    await session.until(atPrompt);
    await session.type("/set seed 11\r");
    await session.until(/seed is 11/);
    await session.type("/set seed 22\r");
    await session.until(/seed is 22/);
    await session.type(`/show${up}${up}\r`);
    await session.until(/seed is 11/);
    await session.type(`/show${up}${up}${down}${down}\r`);
    await session.until(/seed +11/);
    await session.type("/exit\r");
    expect((await session.ended).code).toBe(0);
  });

  it("keeps running when Ctrl-C stops an answer, throws a typed line away, and leaves on an empty one", async () => {
    // As long an answer as there can be: Ctrl-C after it would leave the program.
    await using session = terminal("--ignore-eos");
    await session.until(atPrompt);
    await session.type("Tell me everything\r");
    await session.until(/everything\r?\n[\s\S]/);
    session.press("\u0003");
    await session.until(atPrompt);
    await session.type("never mi");
    await session.until(/never mi/);
    await session.type("\u0003");
    await session.until(atPrompt);
    await session.type("\u0003");
    expect((await session.ended).code).toBe(0);
  });

  it("says that the context is full, and goes on", async () => {
    await using session = terminal("--max-tokens=8");
    await session.until(atPrompt);
    await session.type(`${"word ".repeat(300)}\r`);
    await session.until(/error: [\s\S]*hint: \/clear starts over/);
    await session.until(atPrompt);
    await session.type("/exit\r");
    expect((await session.ended).code).toBe(0);
  });
});
