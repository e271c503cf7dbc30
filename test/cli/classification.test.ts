import { describe, expect, it } from "vitest";
import { golden } from "../golden/reference.js";
import { hfms, temporaryHome } from "./hfms.js";

const home = temporaryHome();
const { directory, reference } = golden("bert-classes");
const input = reference.inputs.find(({ text, pair }) => pair === undefined && text.startsWith("What is"))!;
const powers = Array.from(input.logits.values, Math.exp);
const sum = powers.reduce((a, b) => a + b, 0);
const expected = ["negative", "neutral", "positive"]
  .map((label, i) => ({ label, score: powers[i] / sum }))
  .sort((a, b) => b.score - a.score);
const run = ["run", directory, "--dtype", "fp32"];

describe("hfms run with a model that classifies", () => {
  it("prints the labels, best first, each behind its score", async () => {
    const { code, stdout, stderr } = await hfms(home(), [...run, input.text]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe(expected.map(({ label, score }) => `${score.toFixed(4)}\t${label}\n`).join(""));
    const piped = await hfms(home(), run, { input: `${input.text}\n` });
    expect(piped.stdout).toBe(stdout);
  });

  it("gives one JSON document, of the best labels where --top-k says how many", async () => {
    const { stdout } = await hfms(home(), [...run, "--json", "--top-k", "2", input.text]);
    expect(JSON.parse(stdout)).toMatchObject({
      model: directory,
      task: "text-classification",
      device: "cpu",
      dtype: "fp32",
      output: expected.slice(0, 2).map(({ label, score }) => ({ label, score: expect.closeTo(score, 5) })),
      usage: { prompt_tokens: input.tokens.length, total_tokens: input.tokens.length },
      timings: { load_ms: expect.any(Number), classify_ms: expect.any(Number) },
    });
  });

  it("says once what is not as asked", async () => {
    const { code, stderr } = await hfms(home(), [...run, "--device", "cuda", input.text]);
    expect(code).toBe(0);
    expect(stderr.trimEnd().split("\n")).toEqual([expect.stringContaining("cuda")]);
  });

  it("refuses flags of generated text by name", async () => {
    for (const flags of [
      ["--temperature", "0"],
      ["--system", "Be kind."],
      ["--choice", "yes"],
    ]) {
      const { code, stdout, stderr } = await hfms(home(), [...run, ...flags, input.text]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toContain(flags[0]);
    }
  });

  it("leaves models for other tasks to their commands", async () => {
    const [ranker, encoder] = await Promise.all(
      [golden("bert-ranker"), golden("bert-mean")].map((model) =>
        hfms(home(), ["run", model.directory, "--dtype", "fp32", "hello"]),
      ),
    );
    expect([ranker.code, encoder.code]).toEqual([8, 8]);
    expect(ranker.stderr).toContain("hfms rank");
    expect(encoder.stderr).toContain("hfms embed");
  });
});
