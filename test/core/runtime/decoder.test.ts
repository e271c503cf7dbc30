import { describe, expect, it } from "vitest";
import { logitsRow } from "../../../src/core/runtime/lane.js";
import { editedGolden } from "../../edited-golden.js";
import { golden } from "../../golden/reference.js";
import type { SequenceRunner } from "../../sequence-runner.js";
import { graphsFolder, greedyTokens, tinyDecoder } from "../../tiny-model.js";

const graphs = graphsFolder();

/** As many tokens as asked for, out of the golden's prompts. */
function tokens(name: "llama-gqa" | "gpt2-bare", count: number): number[] {
  const all = golden(name).reference.prompts.flatMap((prompt) => prompt.tokens);
  return Array.from({ length: count }, (_, i) => all[i % all.length]);
}

/** The logits behind the prompt and behind each of the tokens that follow it one by one. */
async function logitsOf(
  decoder: SequenceRunner,
  prompt: number[],
  next: number[],
  chunk?: number,
): Promise<Float32Array[]> {
  const rows = [(await decoder.append(prompt, { chunk })).slice()];
  for (const token of next) rows.push((await decoder.append([token])).slice());
  return rows;
}

describe("a decoder", () => {
  const cases = (["llama-gqa", "gpt2-bare"] as const).flatMap(
    (name) =>
      [
        { name, dtype: "fp32" },
        { name, dtype: "int8", prefill: true },
        { name, dtype: "int8", prefill: false },
        { name, dtype: "int4" },
      ] as const,
  );

  it.each(cases)(
    "gives $name in $dtype (graph for prompts: $prefill) bit-equal logits for a whole and a chunked prompt",
    async ({ name, dtype }) => {
      const decoder = await tinyDecoder(name, { root: graphs(), dtype });
      // Attention works in blocks of 64 queries here: behind them, and behind chunks of 64, one token would be alone.
      for (const length of [3, 65, 106, 129]) {
        const prompt = tokens(name, length);
        decoder.truncate(0);
        const whole = await logitsOf(decoder, prompt, prompt.slice(0, 4));
        for (const chunk of [2, 3, 7, 64, 65, length - 1]) {
          decoder.truncate(0);
          expect(await logitsOf(decoder, prompt, prompt.slice(0, 4), chunk)).toEqual(whole);
        }
      }
    },
  );

  it("gives heads of any size bit-equal logits, whatever attention's block of queries", async () => {
    // A block is twice a head: 16, 32, 64 or 128 queries.
    for (const n_head of [16, 8, 4, 2]) {
      const source = await editedGolden("gpt2-bare", { config: { n_head } });
      const decoder = await tinyDecoder({ ...source, model: `edited/${n_head}-heads` }, { root: graphs() });
      for (const length of [17, 33, 65, 129]) {
        const prompt = tokens("gpt2-bare", length);
        decoder.truncate(0);
        const whole = await logitsOf(decoder, prompt, []);
        decoder.truncate(0);
        expect(await logitsOf(decoder, prompt, [], 14)).toEqual(whole);
      }
    }
  });

  it.each(["fp32", "int8"] as const)(
    "gives a row of several the same bits as it gets alone, with more threads than heads and a cache of %s",
    async (kvCacheDtype) => {
      const source = await editedGolden("llama-gqa", { config: { max_position_embeddings: 4096 } });
      const model = { ...source, model: "edited/long" };
      const { decoder } = await tinyDecoder(model, { root: graphs(), threads: 8, kvCacheDtype });
      await using lane = await decoder.createLane("step");
      const cache = decoder.createCache(4);
      cache.reserve(2000, 0);
      // Every slot holds the same: rows differ by their tokens and lengths.
      for (const { data } of [...cache.keys, ...cache.values])
        for (let i = 0; i < data.length; i++) data[i] = ((i * 7919) % 255) - 127;
      const rows = [1900, 1500, 700, 80].map((past, i) => ({ tokens: [i + 3], past }));
      const together = (await lane.run({ cache, rows, logits: "last" })).data.slice();
      for (const [slot, row] of rows.entries()) {
        const { data } = await lane.run({ cache, slot, rows: [row], logits: "last" });
        expect(logitsRow(together, slot, decoder.info.vocabularySize)).toEqual(data);
      }
    },
  );

  it("stays closed: nothing is opened again", async () => {
    const decoder = await tinyDecoder("llama-gqa", { root: graphs(), dtype: "int8" });
    await decoder.append(tokens("llama-gqa", 20));
    await Promise.all([decoder[Symbol.asyncDispose](), decoder[Symbol.asyncDispose]()]);
    await expect(decoder.append([1])).rejects.toMatchObject({ code: "internal_error" });
    await expect(decoder.append([1, 2, 3])).rejects.toMatchObject({ code: "internal_error" });
  });

  it.each(["fp32", "int8", "int4"] as const)(
    "keeps %s logits bit-equal when its cache grows",
    async (dtype) => {
      const small = await tinyDecoder("llama-gqa", { root: graphs(), dtype });
      const large = await tinyDecoder("llama-gqa", { root: graphs(), dtype });
      const prompt = tokens("llama-gqa", 250);
      const next = tokens("llama-gqa", 12);
      await large.append(tokens("llama-gqa", 400));
      large.truncate(0);
      // The first capacity is 256 positions: the small cache moves in the middle of the answer.
      expect(await logitsOf(small, prompt, next)).toEqual(await logitsOf(large, prompt, next));
      // And again in the middle of a prompt that follows.
      const more = tokens("llama-gqa", 248);
      expect(await logitsOf(small, more, [])).toEqual(await logitsOf(large, more, []));
      expect(small.length).toBe(510);
    },
  );

  it("continues from a shorter past as if the rest had never been there", async () => {
    const decoder = await tinyDecoder("llama-gqa", { root: graphs() });
    const prompt = tokens("llama-gqa", 40);
    const fresh = await logitsOf(decoder, prompt, []);
    await decoder.append(tokens("llama-gqa", 30).reverse());
    decoder.truncate(20);
    expect(decoder.length).toBe(20);
    expect(await logitsOf(decoder, prompt.slice(20), [])).toEqual(fresh);
    decoder.truncate(100);
    expect(decoder.length).toBe(40);
  });

  it("fills its context to the last position and refuses the next before anything runs", async () => {
    const decoder = await tinyDecoder("gpt2-bare", { root: graphs() });
    await decoder.append(tokens("gpt2-bare", 191));
    const last = (await decoder.append([5])).slice();
    expect(decoder.length).toBe(192);
    expect(decoder.length).toBe(decoder.info.contextLength);
    await expect(decoder.append([6])).rejects.toMatchObject({ code: "context_length_exceeded" });
    decoder.truncate(0);
    const tooLong = tokens("gpt2-bare", 193);
    await expect(decoder.append(tooLong)).rejects.toMatchObject({ code: "context_length_exceeded" });
    await expect(decoder.appendAll(tooLong)).rejects.toMatchObject({ code: "context_length_exceeded" });
    expect(decoder.length).toBe(0);
    await decoder.append(tokens("gpt2-bare", 191));
    expect(await decoder.append([5])).toEqual(last);
  });

  it("refuses a token that the vocabulary does not have, and works on", async () => {
    const decoder = await tinyDecoder("llama-gqa", { root: graphs() });
    await expect(decoder.append([1, 384])).rejects.toMatchObject({ code: "runtime_error" });
    expect(decoder.length).toBe(0);
    const { tokens: prompt, greedy } = golden("llama-gqa").reference.prompts[1];
    expect(await greedyTokens(decoder, prompt, 8)).toEqual(greedy.slice(0, 8));
  });

  it("gives two decoders that run at once what each gives alone", async () => {
    const first = await tinyDecoder("llama-gqa", { root: graphs() });
    const second = await tinyDecoder("llama-gqa", { root: graphs() });
    const [a, b] = golden("llama-gqa").reference.prompts.slice(1);
    const answers = await Promise.all([
      greedyTokens(first, a.tokens, 24),
      greedyTokens(second, b.tokens, 24),
    ]);
    expect(answers).toEqual([a.greedy.slice(0, 24), b.greedy.slice(0, 24)]);
  });

  it("does not depend on the number of threads", async () => {
    const prompt = tokens("llama-gqa", 90);
    const rows: Float32Array[][] = [];
    for (const threads of [1, 2]) {
      const decoder = await tinyDecoder("llama-gqa", { root: graphs(), dtype: "int8", threads });
      rows.push(await logitsOf(decoder, prompt, [3, 4]));
    }
    expect(rows[1]).toEqual(rows[0]);
  });
});
