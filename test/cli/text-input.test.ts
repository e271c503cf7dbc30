import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readLines, readPrompt, readText } from "../../src/cli/text-input.js";
import fc from "../property.js";

const { signal } = new AbortController();
let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "hfms-input-"));
  file = path.join(folder, "input.txt");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function lines(content: string | Uint8Array): Promise<string[]> {
  await writeFile(file, content);
  return Array.fromAsync(readLines(file, signal));
}

describe("lines of a file", () => {
  it.each([
    ["a\nb\n", ["a", "b"]],
    ["a\nb", ["a", "b"]],
    ["a\r\nb\r\n", ["a", "b"]],
    ["a\n\nb\n", ["a", "", "b"]],
    ["\n", [""]],
    ["", []],
    ["\ufeffa\n", ["a"]],
  ])("of %j are %j", async (content, expected) => expect(await lines(content)).toEqual(expected));

  it("are whole where a chunk ends inside a character", async () => {
    const text = `x${"€".repeat(50_000)}`;
    expect(await lines(`${text}\n${text}`)).toEqual([text, text]);
  });

  it("are what was joined by line breaks", async () => {
    const line = fc.string({ unit: "grapheme", maxLength: 20 }).filter((text) => !/[\r\n\ufeff]/.test(text));
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 6 }), async (texts) => {
        expect(await lines(texts.map((text) => `${text}\n`).join(""))).toEqual(texts);
      }),
      { numRuns: 50 },
    );
  });

  it("end when the signal fires", async () => {
    await writeFile(file, "a\n".repeat(100_000));
    const stop = new AbortController();
    await expect(async () => {
      for await (const _ of readLines(file, stop.signal)) stop.abort();
    }).rejects.toThrow();
  });
});

describe("a prompt", () => {
  it("is the words, then the file, without the line break at its end", async () => {
    await writeFile(file, "the text\nof the file\n\n");
    expect(await readPrompt({ words: ["sum", "up:"], file }, signal)).toBe("sum up:\nthe text\nof the file");
    expect(await readText(file, signal)).toBe("the text\nof the file");
  });

  it("keeps blanks at the end of words, where a model goes on", async () => {
    expect(await readPrompt({ words: ["Once upon "] }, signal)).toBe("Once upon ");
  });

  it("can't be empty", async () => {
    await writeFile(file, " \n");
    await expect(readPrompt({ words: [], file }, signal)).rejects.toMatchObject({ code: "empty_input" });
    await expect(readPrompt({ words: [" "] }, signal)).rejects.toMatchObject({ code: "empty_input" });
  });

  it("can't come from a folder", async () => {
    await expect(readPrompt({ words: [], file: folder }, signal)).rejects.toMatchObject({
      code: "file_error",
      message: `"${folder}" is a folder, not a file`,
    });
  });
});
