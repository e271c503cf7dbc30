import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { golden } from "../../../golden/reference.js";
import { collect } from "../../../tiny-model.js";
import { type Serving, serving } from "../../serving.js";

const texts = (response: OpenAI.Responses.Response) =>
  response.output.map((item) => ("content" in item ? item.content : item.type));

describe("a model that reasons", () => {
  let folder: string;
  let reasoning: Serving;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), "hfms-thinks-"));
    await cp(golden("llama-gqa").directory, folder, { recursive: true });
    const file = path.join(folder, "tokenizer_config.json");
    const config = JSON.parse(await readFile(file, "utf8"));
    config.chat_template +=
      "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% else %}<think>{% endif %}";
    await writeFile(file, JSON.stringify(config));
    reasoning = await serving({ config: { models: [folder] } });
  });
  afterAll(async () => {
    await reasoning?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });
  const thinking = () => ({ model: folder, input: "The river runs", max_output_tokens: 8, temperature: 0 });

  it("has its reasoning as an item, streamed or not, and takes it back", async () => {
    const { responses } = reasoning.client();
    const whole = await responses.create(thinking());
    expect(whole.output).toEqual([
      {
        type: "reasoning",
        id: expect.stringMatching(/^rs_/),
        status: "incomplete",
        summary: [],
        content: [{ type: "reasoning_text", text: expect.stringMatching(/./s) }],
      },
    ]);
    expect(whole.usage!.output_tokens_details.reasoning_tokens).toBe(8);
    const helper = responses.stream(thinking());
    const deltas = (await collect(helper)).map((event) =>
      event.type === "response.reasoning_text.delta" ? event.delta : "",
    );
    const streamed = await helper.finalResponse();
    expect(texts(streamed)).toEqual(texts(whole));
    expect(texts(streamed)).toEqual([[{ type: "reasoning_text", text: deltas.join("") }]]);
    const input = [...whole.output, { role: "user" as const, content: "So?" }];
    const next = await responses.create({
      ...thinking(),
      input,
    } as OpenAI.Responses.ResponseCreateParamsNonStreaming);
    expect(next.status).toBe("incomplete");
  });

  it("can be told not to", async () => {
    const response = await reasoning
      .client()
      .responses.create({ ...thinking(), reasoning: { effort: "none" } });
    expect(response.output.map(({ type }) => type)).toEqual(["message"]);
    expect(response.reasoning?.effort).toBe("none");
    expect(response.usage!.output_tokens_details.reasoning_tokens).toBe(0);
  });
});
