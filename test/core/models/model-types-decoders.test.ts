import { describe, expect, it } from "vitest";
import { type DecoderTypeReference, modelTypeGoldens } from "../../golden/model-types.js";
import { cosine, graphsFolder, greedyTokens, relativeDifference, tinyDecoder } from "../../tiny-model.js";

const graphs = graphsFolder();

describe.each(modelTypeGoldens<DecoderTypeReference>("decoder"))(
  "$name",
  ({ name, directory, reference }) => {
    const { prompts, allLogits } = reference;
    const source = {
      ...{ model: `golden/${name}`, revision: "0".repeat(40), source: "local" as const },
      ...{ directory, weights: reference.file ?? "model.safetensors" },
    };

    it("continues every prompt with PyTorch's greedy tokens in fp32", async () => {
      const decoder = await tinyDecoder(source, { root: graphs() });
      for (const { tokens, greedy } of prompts) {
        expect(await greedyTokens(decoder, tokens, greedy.length)).toEqual(greedy);
      }
    });

    it("has PyTorch's logits behind every prompt and at every position in fp32", async () => {
      const decoder = await tinyDecoder(source, { root: graphs() });
      for (const { tokens, logits } of prompts) {
        decoder.truncate(0);
        expect(relativeDifference(await decoder.append(tokens), logits.values)).toBeLessThan(1e-3);
      }
      const { prompt, logits } = allLogits;
      decoder.truncate(0);
      const all = await decoder.appendAll(prompts[prompt].tokens);
      expect(all.shape).toEqual(logits.shape);
      expect(relativeDifference(all.data, logits.values)).toBeLessThan(1e-3);
    });

    it("gives a prompt the same numbers in one piece and in two", async () => {
      const decoder = await tinyDecoder(source, { root: graphs() });
      const { tokens } = prompts.at(-1) as (typeof prompts)[number];
      const whole = (await decoder.append(tokens)).slice();
      decoder.truncate(0);
      await decoder.append(tokens.slice(0, 16));
      expect(relativeDifference(await decoder.append(tokens.slice(16)), whole)).toBeLessThan(1e-5);
    });

    it("stays close to PyTorch with weights in int8", async () => {
      const decoder = await tinyDecoder(source, { root: graphs(), dtype: "int8" });
      for (const { tokens, logits } of prompts) {
        decoder.truncate(0);
        expect(cosine(await decoder.append(tokens), logits.values)).toBeGreaterThan(0.98);
      }
    });
  },
);
