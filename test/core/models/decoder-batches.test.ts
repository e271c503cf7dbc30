import { describe, expect, it, onTestFinished } from "vitest";
import type { Row } from "../../../src/core/runtime/lane.js";
import { type DecoderTypeReference, modelTypeGoldens } from "../../golden/model-types.js";
import { graphsFolder, tinyDecoder } from "../../tiny-model.js";

const graphs = graphsFolder();
const goldens = modelTypeGoldens<DecoderTypeReference>("decoder");

/** Linear biases, windows with sinks, experts: what could make a row's numbers depend on others. */
describe.each(["bloom", "mpt", "falcon-rw", "gpt-neo", "gpt-oss", "qwen3-moe", "qwen2-moe"])("%s", (name) => {
  it("gives the rows of a batch the numbers that they have alone", async () => {
    const { directory, reference } = goldens.find((golden) => golden.name === name) as (typeof goldens)[0];
    const source = {
      ...{ model: `golden/${name}`, revision: "0".repeat(40), source: "local" as const },
      ...{ directory, weights: "model.safetensors" },
    };
    const { decoder } = await tinyDecoder(source, { root: graphs(), dtype: "int8" });
    const lane = await decoder.createLane("step");
    onTestFinished(() => lane[Symbol.asyncDispose]());
    const cache = decoder.createCache(3);
    cache.reserve(64, 0);
    const { tokens } = reference.prompts[2];
    const prompts = [tokens.slice(0, 20), tokens.slice(3, 12), tokens.slice(5, 36)];
    const steps = prompts.map(({ length }, i) => ({ tokens: [7 + i], past: length }));
    const size = decoder.info.vocabularySize;
    const check = async (rows: readonly Row[]) => {
      const together = (await lane.run({ cache, rows, logits: "last" })).data.slice();
      for (const [slot, row] of rows.entries()) {
        const { data } = await lane.run({ cache, slot, rows: [row], logits: "last" });
        expect(data.slice(0, size)).toEqual(together.slice(slot * size, (slot + 1) * size));
      }
    };
    await check(prompts.map((prompt) => ({ tokens: prompt, past: 0 })));
    await check(steps);
  });
});
