import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { golden } from "../golden/reference.js";
import { hfms, temporaryHome } from "./hfms.js";

const home = temporaryHome();
const { directory, reference } = golden("bert-ranker");
const query = "What is the capital of France?";
const known = reference.inputs.filter(({ text, pair, truncated }) => text === query && pair && !truncated);
const documents = known.map(({ pair }) => pair as string);
const best = known.toSorted((a, b) => b.logits.values[0] - a.logits.values[0]);
const rank = ["rank", directory, "--dtype", "fp32"];

describe("hfms rank", () => {
  it("sorts the lines of a pipe by PyTorch's logits, best first", async () => {
    const { code, stdout, stderr } = await hfms(home(), [...rank, query], {
      input: documents.map((line) => `${line}\n`).join(""),
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const lines = best.map(({ pair, logits }) => `${logits.values[0].toFixed(4)}\t${pair}\n`);
    expect(stdout).toBe(lines.join(""));
  });

  it("takes documents from words, a pipe, a dash and a file, all the same", async () => {
    const file = path.join(home(), "documents.txt");
    await writeFile(file, documents.join("\r\n"));
    const answers = await Promise.all([
      hfms(home(), [...rank, query, ...documents]),
      hfms(home(), [...rank, query], { input: documents.join("\n") }),
      hfms(home(), [...rank, query, "-"], { input: documents.join("\n") }),
      hfms(home(), [...rank, query, "--file", file]),
    ]);
    expect(new Set(answers.map(({ stdout }) => stdout)).size).toBe(1);
    expect(answers.map(({ code }) => code)).toEqual([0, 0, 0, 0]);
  });

  it("gives one JSON document, the best n, and probabilities when asked to", async () => {
    const { stdout } = await hfms(home(), [...rank, "--json", "--top", "1", "--no-raw", query, ...documents]);
    const [{ pair, logits }] = best;
    expect(JSON.parse(stdout)).toEqual({
      model: directory,
      revision: expect.any(String),
      task: "text-ranking",
      device: "cpu",
      dtype: "fp32",
      output: [
        {
          index: documents.indexOf(pair as string),
          score: expect.closeTo(1 / (1 + Math.exp(-logits.values[0])), 5),
          document: pair,
        },
      ],
      usage: {
        prompt_tokens: known.reduce((sum, { tokens }) => sum + tokens.length, 0),
        total_tokens: known.reduce((sum, { tokens }) => sum + tokens.length, 0),
      },
      timings: { load_ms: expect.any(Number), rank_ms: expect.any(Number) },
    });
  });

  it("refuses a document that is too long, and cuts it with --truncate", async () => {
    const long = ["cat", "word ".repeat(300)];
    const refused = await hfms(home(), [...rank, "Who?", ...long]);
    expect(refused.code).toBe(10);
    expect(refused.stderr).toMatch(/document 2 with the query has \d+ tokens; the model takes 128/);
    const cut = await hfms(home(), [...rank, "--truncate", "Who?", ...long]);
    expect(cut.code).toBe(0);
    expect(cut.stderr).toContain("1 of 2 documents were too long");
    expect(cut.stdout.trimEnd().split("\n")).toHaveLength(2);
  });

  it("says what is missing: a query, documents, a model that ranks", async () => {
    const outcomes = await Promise.all([
      hfms(home(), rank),
      hfms(home(), [...rank, "Who?"]),
      hfms(home(), ["rank", golden("bert-classes").directory, "--dtype", "fp32", "Who?", "cat"]),
      hfms(home(), [...rank, "--file", "documents.txt", "Who?", "cat"]),
    ]);
    expect(outcomes.map(({ code }) => code)).toEqual([2, 2, 8, 2]);
    expect(outcomes[0].stderr).toContain("QUERY");
    expect(outcomes[1].stderr).toContain("standard input is empty");
    expect(outcomes[2].stderr).toMatch(/does text-classification.*not text-ranking[\s\S]*hfms run/);
    expect(outcomes[3].stderr).toContain("--file");
  });
});
