import { describe, it } from "vitest";
import { decoderGoldens, golden } from "../../golden/reference.js";
import { graphsFolder, tinyDecoder } from "../../tiny-model.js";
import { expectSameAsAlone, randomMix } from "./mixes.js";

const graphs = graphsFolder();
/** For each of the 30 cases. */
const MIXES = 7;

const cases = decoderGoldens.flatMap((name, i) =>
  (["fp32", "int8", "int4"] as const).map((dtype, j) => ({ name, dtype, seed: 1000 * (3 * i + j + 1) })),
);

describe("whatever else is asked for meanwhile, each request gets, bit for bit, what it gets alone:", () => {
  it.each(cases)("$name in $dtype", async ({ name, dtype, seed }) => {
    const { decoder } = await tinyDecoder(name, { root: graphs(), dtype });
    const { prompts } = golden(name).reference;
    const vocabulary = prompts.flatMap(({ tokens, greedy }) => [...tokens, ...greedy]);
    for (let mix = seed; mix < seed + MIXES; mix++) {
      const sizes = { requests: 8, prompt: 300, answer: 12, vocabulary };
      await expectSameAsAlone(decoder, randomMix(mix, decoder, sizes), `mix ${mix}`);
    }
  });
});
