import type OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { collect } from "../../../tiny-model.js";
import { reasoningServing } from "../../reasoning-model.js";

const texts = (response: OpenAI.Responses.Response) =>
  response.output.map((item) => ("content" in item ? item.content : item.type));

describe("a model that reasons", () => {
  const reasoning = reasoningServing();
  const thinking = () => ({
    model: reasoning().model,
    input: "The river runs",
    max_output_tokens: 8,
    temperature: 0,
  });

  it("has its reasoning as an item, streamed or not, and takes it back", async () => {
    const { responses } = reasoning().server.client();
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
    const response = await reasoning()
      .server.client()
      .responses.create({ ...thinking(), reasoning: { effort: "none" } });
    expect(response.output.map(({ type }) => type)).toEqual(["message"]);
    expect(response.reasoning?.effort).toBe("none");
    expect(response.usage!.output_tokens_details.reasoning_tokens).toBe(0);
  });
});
