import { describe, expect, it } from "vitest";
import { pipelineGolden } from "../golden/pipelines.js";
import { hfms, temporaryHome } from "./hfms.js";

const home = temporaryHome();
const entities = pipelineGolden("bert-entities");
const answers = pipelineGolden("bert-answers");
const fillings = pipelineGolden("bert-fillings");

describe("hfms run with a model that finds something in a text", () => {
  it("prints entities: score, label, place and word", async () => {
    const row = entities.reference.inputs.find(({ aggregation }) => aggregation === "first")!;
    const { code, stdout, stderr } = await hfms(home(), [
      ...["run", entities.directory, "--dtype", "fp32", "--aggregation", "first", row.text],
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const lines = row.entities.map(
      ({ score, label, start, end, word }) => `${score.toFixed(4)}\t${label}\t${start}-${end}\t${word}\n`,
    );
    expect(stdout).toBe(lines.join(""));
  });

  it("takes a question and what answers it, and gives one JSON document", async () => {
    const [{ question, context, answers: expected }] = answers.reference.inputs;
    const run = ["run", answers.directory, "--dtype", "fp32", "--json", question];
    const { stdout } = await hfms(home(), [...run, "--context", context]);
    const [{ score, ...answer }] = expected;
    expect(JSON.parse(stdout)).toMatchObject({
      task: "question-answering",
      output: [{ ...answer, score: expect.closeTo(score, 4) }],
      usage: { prompt_tokens: expect.any(Number) },
    });
    const piped = await hfms(home(), [...run, "--file", "-"], { input: `${context}\n` });
    expect(JSON.parse(piped.stdout).output).toEqual(JSON.parse(stdout).output);
  });

  it("says that a question needs a text", async () => {
    const { code, stdout, stderr } = await hfms(home(), [
      "run",
      answers.directory,
      "--dtype",
      "fp32",
      "Who?",
    ]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("--context");
  });

  it("prints the tokens that fit a mask, and numbers the masks where there are several", async () => {
    const [one, several] = fillings.reference.inputs;
    const run = ["run", fillings.directory, "--dtype", "fp32"];
    const first = await hfms(home(), [...run, "--top-k", "2", one.text]);
    const line = ({ score, text, sequence }: (typeof one.masks)[0][0]) =>
      `${score.toFixed(4)}\t${text.trim()}\t${sequence}\n`;
    expect(first.stdout).toBe(one.masks[0].slice(0, 2).map(line).join(""));
    const { stdout } = await hfms(home(), [...run, "--top-k", "1", several.text]);
    expect(stdout.split("\n").map((row) => row.split("\t")[1])).toEqual(["1", "2", undefined]);
  });

  it("refuses flags of generated text by name", async () => {
    const { code, stderr } = await hfms(home(), ["run", entities.directory, "--temperature", "0", "a"]);
    expect(code).toBe(2);
    expect(stderr).toContain("--temperature");
  });
});
