import { describe, it } from "vitest";
import { decoderGoldens, golden } from "../../golden/reference.js";
import { graphsFolder, tinyDecoder } from "../../tiny-model.js";
import { expectSameAsAlone, randomMix } from "./mixes.js";

const graphs = graphsFolder();
/** For each of the 30 cases with a cache of fp32, and the 10 with one of int8. */
const MIXES = 7;

const cases = decoderGoldens.flatMap((name, i) =>
  (["fp32", "int8", "int4"] as const).map((dtype, j) => ({
    name,
    dtype,
    kvCacheDtype: "fp32" as const,
    seed: 1000 * (3 * i + j + 1),
  })),
);
const int8Cases = decoderGoldens.map((name, i) => ({
  name,
  dtype: (["fp32", "int8", "int4"] as const)[i % 3],
  kvCacheDtype: "int8" as const,
  seed: 100_000 + 1000 * i,
}));

describe("whatever else is asked for meanwhile, each request gets, bit for bit, what it gets alone:", () => {
  it.each([...cases, ...int8Cases])(
    "$name in $dtype, its cache in $kvCacheDtype",
    async ({ name, dtype, kvCacheDtype, seed }) => {
      const { decoder } = await tinyDecoder(name, { root: graphs(), dtype, kvCacheDtype });
      const { prompts } = golden(name).reference;
      const vocabulary = prompts.flatMap(({ tokens, greedy }) => [...tokens, ...greedy]);
      for (let mix = seed; mix < seed + MIXES; mix++) {
        const sizes = { requests: 8, prompt: 300, answer: 12, vocabulary };
        await expectSameAsAlone(decoder, randomMix(mix, decoder, sizes), `mix ${mix}`);
      }
    },
  );
});
