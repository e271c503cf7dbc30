import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ENCODER_FILE, type GraphManifest } from "../../../src/core/graph-store.js";
import type { EncoderDecoderInfo } from "../../../src/core/models/types.js";
import type { Dtype, GenerateRequest } from "../../../src/core/requests.js";
import { EncoderDecoder } from "../../../src/core/runtime/encoder-decoder.js";
import { Sampler } from "../../../src/core/runtime/sampler.js";
import { AnswerLoop } from "../../../src/core/scheduler/answer-loop.js";
import { answerPlan } from "../../../src/core/tasks/answer-plan.js";
import { type EncoderDecoderTypeReference, modelTypeGoldens } from "../../golden/model-types.js";
import { graphsFolder, relativeDifference, tinyGraph } from "../../tiny-model.js";

const graphs = graphsFolder();
const TOKENS = 24;

describe.each(modelTypeGoldens<EncoderDecoderTypeReference>("encoder-decoder"))("$name", (golden) => {
  const { inputs } = golden.reference;
  const texts = inputs.map(({ tokens }) => tokens);

  it("has PyTorch's hidden states and first logits in fp32", async () => {
    const { model, manifest } = await open(golden);
    for (const { tokens, encoderLastHiddenState, logits } of inputs) {
      const states = await model.states([tokens]);
      const real = states.data.subarray(0, encoderLastHiddenState.values.length);
      expect(relativeDifference(real, encoderLastHiddenState.values)).toBeLessThan(1e-3);
      await using batch = model.createBatch(1);
      batch.join((await model.encode([tokens]))[0], 1);
      const first = await batch.step([manifest.answering!.start], [0]);
      expect(relativeDifference(first, logits.values)).toBeLessThan(1e-3);
    }
  });

  it("takes transformers' greedy tokens", async () => {
    const { greedy } = await openAnswers(golden);
    for (const { tokens, greedy: expected } of inputs) expect(await greedy(tokens)).toEqual(expected);
  });

  it("finds transformers' answer with beams", async () => {
    const { search } = await openAnswers(golden);
    for (const { tokens, beams } of inputs) expect(await search(tokens)).toEqual(beams);
  });

  it("gives all answers the tokens that they have alone, when they are computed together", async () => {
    const { greedy, search } = await openAnswers(golden);
    const together = await Promise.all([...texts.map(greedy), ...texts.map(search)]);
    expect(together).toEqual([
      ...inputs.map(({ greedy: tokens }) => tokens),
      ...inputs.map(({ beams }) => beams),
    ]);
  });

  it.each(["fp32", "int8"] as const)("gives a row in %s bit-equal logits in any batch", async (dtype) => {
    const { model, manifest } = await open(golden, dtype);
    const { vocabularySize } = model.info;
    const start = manifest.answering!.start;
    const paired = await model.pairsSteps();
    const sources = await model.encode(texts);
    const steps = [start, 5, 6, 7];
    const alone: Float32Array[][] = [];
    for (const text of texts) {
      await using batch = model.createBatch(1);
      batch.join((await model.encode([text]))[0], 1);
      const logits: Float32Array[] = [];
      for (const [past, token] of steps.entries())
        logits.push((await batch.step([token], [past], { paired })).slice(0, vocabularySize));
      alone.push(logits);
    }
    // The answers begin one after the other, so each has got further than the next.
    await using batch = model.createBatch(1);
    const pasts: number[] = [];
    for (const source of sources) {
      batch.join(source, 1);
      pasts.push(0);
      const logits = await batch.step(
        pasts.map((past) => steps[past]),
        pasts,
        { paired },
      );
      for (const [row, past] of pasts.entries()) {
        expect(logits.slice(row * vocabularySize, (row + 1) * vocabularySize)).toEqual(alone[row][past]);
        pasts[row]++;
      }
    }
  });
});

type Golden = ReturnType<typeof modelTypeGoldens<EncoderDecoderTypeReference>>[number];

async function open({ name, directory }: Golden, dtype: Dtype = "fp32") {
  const source = { model: `golden/${name}`, revision: "0".repeat(40), source: "local" } as const;
  const weights = { directory, weights: "model.safetensors" };
  const built = await tinyGraph({ ...source, ...weights }, { root: graphs(), dtype });
  const files = { encoder: path.join(built.directory, ENCODER_FILE), decoder: built.graph };
  const model = await EncoderDecoder.load(files, built.manifest.info as EncoderDecoderInfo, { threads: 2 });
  onTestFinished(() => model[Symbol.asyncDispose]());
  return { model, manifest: built.manifest };
}

async function openAnswers(golden: Golden) {
  const { model, manifest } = await open(golden);
  const loop = new AnswerLoop(model, { sequences: 16, cacheBytes: 2 ** 26, prefixBytes: 2 ** 20 });
  onTestFinished(() => loop[Symbol.asyncDispose]());
  const greedy = async (prompt: readonly number[]): Promise<number[]> => {
    const plan = planOf(manifest, prompt, { beams: 1, minTokens: TOKENS });
    const { start, params, rules, stopTokens } = plan;
    const sampler = new Sampler(params, { prompt: [start], stopTokens, rules });
    const tokens: number[] = [];
    const onToken = ({ token }: { token: number }) => tokens.push(token) > 0;
    await loop.generate({ ...plan, prompt, sampler, onToken });
    return tokens;
  };
  const search = async (prompt: readonly number[]): Promise<number[]> => {
    const { hypotheses } = await loop.search({ ...planOf(manifest, prompt, {}), prompt });
    return hypotheses[0].tokens;
  };
  return { greedy, search };
}

function planOf(manifest: GraphManifest, source: readonly number[], request: Partial<GenerateRequest>) {
  const whole = { model: "", prompt: "", maxTokens: TOKENS, ...request };
  return answerPlan(manifest, whole, { source, own: {} });
}
