import { existsSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { type DecoderTypeReference, modelTypeGoldens } from "../../golden/model-types.js";
import { graphsFolder, greedyTokens, tinyDecoder } from "../../tiny-model.js";

const graphs = graphsFolder();
const FILE = "model.gguf";

const written = modelTypeGoldens<DecoderTypeReference>("decoder").filter(({ directory }) =>
  existsSync(path.join(directory, FILE)),
);

describe.each(written)("$name as llama.cpp's converter writes it", ({ name, directory, reference }) => {
  const source = {
    ...{ model: `golden/${name}-gguf`, revision: "0".repeat(40), source: "local" as const },
    ...{ directory, weights: FILE },
  };

  it("has the checkpoint's numbers", async () => {
    const fromGguf = await tinyDecoder(source, { root: graphs() });
    const checkpoint = { ...source, model: `golden/${name}`, weights: "model.safetensors" };
    const fromCheckpoint = await tinyDecoder(checkpoint, { root: graphs() });
    for (const { tokens } of reference.prompts) {
      for (const decoder of [fromGguf, fromCheckpoint]) decoder.truncate(0);
      expect(await fromGguf.append(tokens)).toEqual(await fromCheckpoint.append(tokens));
    }
  });

  it("continues every prompt with PyTorch's greedy tokens", async () => {
    const decoder = await tinyDecoder(source, { root: graphs() });
    for (const { tokens, greedy } of reference.prompts)
      expect(await greedyTokens(decoder, tokens, greedy.length)).toEqual(greedy);
  });
});
