import { describe, expect, it } from "vitest";
import type { ChatMessage } from "../../../src/core/requests.js";
import { encodeChat, loadChatTemplate } from "../../../src/core/text/chat-template.js";
import { loadTokenizer } from "../../../src/core/text/tokenizer.js";
import { decoderGoldens, golden } from "../../golden/reference.js";
import { graphsFolder, greedyTokens, largestDifference, tinyDecoder, tinyGraph } from "../../tiny-model.js";

// Sums in another order; the worst of all goldens was 3.1e-5, on logits of up to 5.
const TOLERANCE = 1e-4;

const graphs = graphsFolder();

describe.each(decoderGoldens)("%s in fp32", (name) => {
  const { directory, reference } = golden(name);
  const { prompts } = reference;

  it("continues every prompt with PyTorch's greedy tokens", async () => {
    const decoder = await tinyDecoder(name, { root: graphs() });
    for (const { tokens, greedy } of prompts) {
      expect(await greedyTokens(decoder, tokens, greedy.length)).toEqual(greedy);
    }
  });

  it("has PyTorch's logits behind every prompt and at every position", async () => {
    const decoder = await tinyDecoder(name, { root: graphs() });
    for (const { tokens, logits } of prompts) {
      decoder.truncate(0);
      expect(largestDifference(await decoder.append(tokens), logits.values)).toBeLessThan(TOLERANCE);
    }
    const { prompt, logits } = reference.allLogits;
    decoder.truncate(0);
    const all = await decoder.appendAll(prompts[prompt].tokens);
    expect(all.shape).toEqual(logits.shape);
    expect(largestDifference(all.data, logits.values)).toBeLessThan(TOLERANCE);
  });

  it("tokenizes the prompts and the conversations as transformers does", async () => {
    // A GGUF file's tokenizer is written beside its graph.
    const { directory: built, manifest } = await tinyGraph(name, { root: graphs() });
    const folder = manifest.ownText ? built : directory;
    const tokenizer = await loadTokenizer(folder);
    for (const { text, tokens, greedy, greedyText } of prompts) {
      expect(tokenizer.encode(text)).toEqual(tokens);
      // Where bytes make no character, tokenizers gives up the whole run of them; a stream can't take back what it said.
      if (name !== "llama-bias") expect(tokenizer.decode(greedy)).toBe(greedyText);
    }
    const template = await loadChatTemplate(folder);
    expect(template.hasTemplate).toBe(reference.chats.length > 0);
    for (const { messages, rendered, tokens } of reference.chats) {
      const conversation = messages as ChatMessage[];
      expect(await template.render(conversation)).toBe(rendered);
      expect(await encodeChat(tokenizer, template, conversation)).toEqual(tokens);
    }
  });
});
