import { writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { CALIBRATION_TEXT } from "../../../src/core/int8-cache/calibration-text.js";
import { type DecoderTypeReference, modelTypeGoldens } from "../../golden/model-types.js";
import { cosine, graphsFolder, tinyDecoder } from "../../tiny-model.js";
import { temporaryFolder } from "../hub/sandbox.js";

const graphs = graphsFolder();

describe.each(modelTypeGoldens<DecoderTypeReference>("decoder"))(
  "$name with a cache of int8",
  ({ name, directory, reference: { file = "model.safetensors", prompts } }) => {
    const source = {
      ...{ model: `golden/${name}`, revision: "0".repeat(40), source: "local" as const },
      ...{ directory, weights: file },
    };

    it.each(["fp32", "int8"] as const)(
      "keeps the direction of the logits that the same weights give without it (%s)",
      async (dtype) => {
        const [vocabulary] = prompts[0].logits.shape;
        const options = { root: graphs(), dtype, textDirectory: await letterTokenizer(vocabulary) };
        const decoder = await tinyDecoder(source, { ...options, kvCacheDtype: "int8" });
        const exact = await tinyDecoder(source, options);
        const cosines: number[] = [];
        for (const { tokens, greedy } of prompts) {
          decoder.truncate(0);
          exact.truncate(0);
          for (const piece of [tokens, ...greedy.slice(0, 6).map((token) => [token])])
            cosines.push(cosine(await decoder.append(piece), await exact.append(piece)));
        }
        // Random weights suffer more than trained ones, and where experts are chosen a little may change much.
        expect(cosines.reduce((sum, value) => sum + value) / cosines.length).toBeGreaterThan(0.98);
      },
    );
  },
);

/**
 * A folder with a tokenizer that makes use of all of a vocabulary on the text that the cache is measured on: its
 * characters and, behind them, pairs of characters.
 */
async function letterTokenizer(vocabulary: number): Promise<string> {
  const characters = [...new Set(CALIBRATION_TEXT)].slice(0, vocabulary - 16);
  const pairs = new Set<string>();
  for (let i = 0; pairs.size < vocabulary - characters.length && i < CALIBRATION_TEXT.length; i += 2) {
    const [first, second] = CALIBRATION_TEXT.slice(i, i + 2);
    if (characters.includes(first) && characters.includes(second)) pairs.add(`${first} ${second}`);
  }
  const merges = [...pairs].map((pair) => [pair[0], pair[2]]);
  const vocab = Object.fromEntries(
    [...characters, ...merges.map((pair) => pair.join(""))].map((text, id) => [text, id]),
  );
  const folder = await temporaryFolder();
  const model = { type: "BPE", vocab, merges, unk_token: characters[0] };
  await writeFile(path.join(folder, "tokenizer.json"), JSON.stringify({ model, added_tokens: [] }));
  return folder;
}
