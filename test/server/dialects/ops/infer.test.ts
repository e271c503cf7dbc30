import { describe, expect, it } from "vitest";
import { golden } from "../../../golden/reference.js";
import { sharedServing } from "../../serving.js";

const server = sharedServing();

async function infer(model: string, body: object): Promise<[number, Record<string, unknown>]> {
  const response = await server().post(`/v1/infer/golden/${model}`, body);
  return [response.status, (await response.json()) as Record<string, unknown>];
}

describe("/v1/infer", () => {
  it("continues a text", async () => {
    const { prompts } = golden("llama-gqa").reference;
    const [prompt] = prompts;
    const [status, answer] = await infer("llama-gqa", {
      input: prompt.text,
      parameters: { raw: true, max_tokens: prompt.greedy.length, temperature: 0, ignore_eos: true },
    });
    expect(status).toBe(200);
    expect(answer).toMatchObject({
      model: "golden/llama-gqa",
      task: "text-generation",
      device: "cpu",
      output: { finish_reason: "length" },
      usage: { completion_tokens: prompt.greedy.length },
    });
  });

  it("translates a text", async () => {
    const [french] = golden("m2m-languages").reference.answers;
    const parameters = { target_language: "fra_Latn" };
    const [status, answer] = await infer("m2m-languages", { input: french.text, parameters });
    expect(status).toBe(200);
    expect(answer).toMatchObject({ task: "translation", output: { text: french.answer } });
  });

  it("gives one vector for a text, and a list for several", async () => {
    const [, one] = await infer("bert-mean", { input: "a cat" });
    const [, two] = await infer("bert-mean", { input: ["a cat", "a dog"] });
    expect((two.output as number[][])[0]).toEqual(one.output);
    expect(one.task).toBe("feature-extraction");
  });

  it("labels texts, and ranks documents", async () => {
    const [, labels] = await infer("bert-classes", { input: "a cat", parameters: { top_k_labels: 1 } });
    expect(labels.output).toEqual([{ label: expect.any(String), score: expect.any(Number) }]);
    const [, ranks] = await infer("bert-ranker", { input: { query: "cats", documents: ["a dog", "a cat"] } });
    const scores = (ranks.output as { score: number }[]).map(({ score }) => score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
  });

  it("finds entities and answers, and fills masks", async () => {
    const [, entities] = await infer("bert-entities", {
      input: "a cat",
      parameters: { aggregation: "none" },
    });
    expect(entities).toMatchObject({ task: "token-classification", output: [{ start: 0, end: 1 }, {}, {}] });
    const [, answers] = await infer("bert-answers", {
      input: { question: "Who?", context: "the cat" },
      parameters: { top_k_labels: 2 },
    });
    expect(answers.output).toHaveLength(2);
    const parameters = { top_k_labels: 1, targets: ["the", "a"] };
    const [, masks] = await infer("bert-fillings", { input: ["the [MASK]", "[MASK] [MASK]"], parameters });
    expect((masks.output as unknown[][]).map((text) => text.length)).toEqual([1, 2]);
    const [status, wrong] = await infer("bert-answers", { input: "Who?" });
    expect([status, wrong.error]).toEqual([400, expect.objectContaining({ param: "input" })]);
  });

  it("refuses what the model's task does not take, and names the field", async () => {
    const [status, body] = await infer("llama-gqa", { input: ["a", "b"] });
    expect(status).toBe(400);
    expect(body.error).toMatchObject({ param: "input", message: expect.stringContaining("one text") });
    expect((await infer("bert-mean", { input: "" }))[1].error).toMatchObject({ param: "input" });
    const [missing] = await infer("nothing-like-it", { input: "a" });
    expect(missing).toBe(503);
  });
});
