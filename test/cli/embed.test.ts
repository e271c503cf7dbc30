import { spawn } from "node:child_process";
import { readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { golden } from "../golden/reference.js";
import { hfms, program, temporaryHome, testEnvironment } from "./hfms.js";

const home = temporaryHome();
const { directory, reference } = golden("bert-mean");
const model = ["--model", directory, "--dtype", "fp32"];
// Texts of one line, without a prompt, that are not cut.
const texts = reference.texts.filter(
  ({ text, prompt, tokens }) => !prompt && !text.includes("\n") && tokens.length < 64,
);

function parseLines(stdout: string): { index: number; embedding: number[] }[] {
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let dot = 0;
  let aa = 0;
  let bb = 0;
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return dot / Math.sqrt(aa * bb);
}

describe("hfms embed", () => {
  it("gives sentence-transformers' vectors for every line of a pipe, in order, an empty line included", async () => {
    const input = texts.map(({ text }) => `${text}\n`).join("");
    expect(texts.some(({ text }) => text === "")).toBe(true);
    const { code, stdout } = await hfms(home(), ["embed", ...model], { input });
    expect(code).toBe(0);
    const lines = parseLines(stdout);
    expect(lines.map(({ index }) => index)).toEqual(texts.map((_, i) => i));
    for (const [i, { embedding }] of lines.entries()) {
      expect(cosine(embedding, texts[i].embedding.values)).toBeGreaterThan(0.99999);
    }
  });

  it("takes texts from words and from a file, all the same", async () => {
    const file = path.join(home(), "texts.txt");
    await writeFile(file, "a cat\r\na dog\r\n");
    const answers = await Promise.all([
      hfms(home(), ["embed", ...model, "a cat", "a dog"]),
      hfms(home(), ["embed", ...model], { input: "a cat\na dog" }),
      hfms(home(), ["embed", ...model, "-"], { input: "a cat\na dog\n" }),
      hfms(home(), ["embed", ...model, "--file", file]),
    ]);
    expect(new Set(answers.map(({ stdout }) => stdout)).size).toBe(1);
    expect(parseLines(answers[0].stdout)).toHaveLength(2);
  });

  it("writes every format to stdout or to a file", async () => {
    const [{ embedding }] = parseLines((await hfms(home(), ["embed", ...model, "cat"])).stdout);
    const csv = await hfms(home(), ["embed", ...model, "--format", "csv", "cat"]);
    expect(csv.stdout.trimEnd().split(",").map(Number)).toEqual(embedding);

    const base64 = await hfms(home(), ["embed", ...model, "--format", "base64", "cat"]);
    const bytes = Buffer.from(JSON.parse(base64.stdout).embedding, "base64");
    expect(bytes.readFloatLE(0)).toBeCloseTo(embedding[0], 6);

    const file = path.join(home(), "vectors.npy");
    const npy = await hfms(home(), ["embed", ...model, "--format", "npy", "--output", file, "cat", "dog"]);
    expect(npy.stdout).toBe("");
    const matrix = await readFile(file);
    expect(matrix.subarray(10, 128).toString("latin1")).toContain(`'shape': (2, ${embedding.length})`);
    expect(matrix).toHaveLength(128 + 2 * 4 * embedding.length);
    expect(matrix.readFloatLE(128)).toBeCloseTo(embedding[0], 6);

    const json = await hfms(home(), ["embed", ...model, "--json", "cat"]);
    expect(JSON.parse(json.stdout)).toMatchObject({
      task: "feature-extraction",
      device: "cpu",
      dtype: "fp32",
      dimensions: embedding.length,
      embeddings: [{ index: 0, embedding, tokens: 4 }],
      usage: { prompt_tokens: 4, total_tokens: 4 },
    });
  });

  it("shapes vectors as the flags say", async () => {
    const lines = async (...flags: string[]) => {
      const { stdout } = await hfms(home(), ["embed", ...model, ...flags, "What is the capital of France?"]);
      return parseLines(stdout)[0].embedding;
    };
    const length = (vector: number[]) => Math.hypot(...vector);
    expect(length(await lines())).toBeCloseTo(1, 5);
    expect(length(await lines("--no-normalize"))).not.toBeCloseTo(1, 2);
    const short = await lines("--dimensions", "8");
    expect([short.length, length(short)]).toEqual([8, expect.closeTo(1, 5)]);
    const query = reference.texts.find(({ prompt, text }) => prompt === "query" && text.startsWith("What"))!;
    expect(cosine(await lines("--prompt", "query"), query.embedding.values)).toBeGreaterThan(0.99999);
  });

  it("answers a line before the next one is there", async () => {
    const child = spawn(process.execPath, [program, "embed", ...model], { env: testEnvironment(home()) });
    child.stdout.setEncoding("utf8");
    const line = () => new Promise<string>((resolve) => child.stdout.once("data", resolve));
    child.stdin.write("a cat\n");
    expect(JSON.parse(await line()).index).toBe(0);
    child.stdin.write("a dog\n");
    expect(JSON.parse(await line()).index).toBe(1);
    child.stdin.end();
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(0);
  });

  it("refuses a text that is too long, cuts it with --truncate, and leaves no half of a file", async () => {
    const long = "word ".repeat(300);
    const file = path.join(home(), "never.jsonl");
    const refused = await hfms(home(), ["embed", ...model, "--output", file], { input: `short\n${long}\n` });
    expect(refused.code).toBe(10);
    expect(refused.stderr).toMatch(/64/);
    expect((await readdir(home())).filter((name) => name.startsWith("never"))).toEqual([]);

    const cut = await hfms(home(), ["embed", ...model, "--truncate", long]);
    expect(cut.code).toBe(0);
    expect(cut.stderr).toBe("note: 1 of 1 texts were too long, and were cut\n");
    expect(JSON.parse(cut.stdout)).toMatchObject({ index: 0, truncated: true });
  });
});
