import { describe, expect, it, onTestFinished } from "vitest";
import { KvCache } from "../../../src/core/runtime/kv-cache.js";
import { Sampler } from "../../../src/core/runtime/sampler.js";
import { GenerationLoop } from "../../../src/core/scheduler/generation-loop.js";
import { type DecoderTypeReference, modelTypeGoldens } from "../../golden/model-types.js";
import { graphsFolder, tinyDecoder } from "../../tiny-model.js";

const graphs = graphsFolder();
const { directory, reference } = modelTypeGoldens<DecoderTypeReference>("decoder").find(
  ({ name }) => name === "llama-longrope",
)!;
/** The second one is longer than the original length, 64. */
const { prompts } = reference;
const [, long] = prompts;

describe("a model that rotates long texts otherwise", () => {
  it("gives texts of both kinds PyTorch's tokens while they run together", async () => {
    const loop = await openLoop();
    const answers = prompts.map(({ tokens, greedy }) => generate(loop, tokens, greedy.length));
    expect(await Promise.all(answers)).toEqual(prompts.map(({ greedy }) => greedy));
  });

  it("rotates all pieces of a long prompt alike", async () => {
    const loop = await openLoop();
    // Log probabilities of the prompt make it come in pieces of 64.
    const tokens = await generate(loop, long.tokens, long.greedy.length, { promptLogprobs: 0 });
    expect(tokens).toEqual(long.greedy);
  });

  it("shares no beginning between texts of different kinds", async () => {
    const beginning = long.tokens.slice(0, 40);
    const cold = await generate(await openLoop(), beginning, 20);
    const loop = await openLoop();
    await generate(loop, long.tokens, 4);
    expect(await generate(loop, beginning, 20)).toEqual(cold);
  });
});

async function openLoop(): Promise<GenerationLoop> {
  const source = { model: "golden/long", revision: "0".repeat(40), source: "local" as const, directory };
  const { decoder } = await tinyDecoder({ ...source, weights: "model.safetensors" }, { root: graphs() });
  const bytes = KvCache.positionBytes(decoder.info);
  const loop = new GenerationLoop(decoder, {
    sequences: 4,
    cacheBytes: 4096 * bytes,
    prefixBytes: 4096 * bytes,
  });
  onTestFinished(() => loop[Symbol.asyncDispose]());
  return loop;
}

async function generate(
  loop: GenerationLoop,
  prompt: readonly number[],
  maxTokens: number,
  options: { promptLogprobs?: number } = {},
): Promise<number[]> {
  const tokens: number[] = [];
  await loop.generate({
    ...{ prompt, maxTokens, ...options },
    sampler: new Sampler({}),
    stopTokens: new Set(),
    onToken({ token }) {
      tokens.push(token);
      return true;
    },
  });
  return tokens;
}
