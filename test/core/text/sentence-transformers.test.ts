import path from "node:path";
import { describe, expect, it } from "vitest";
import { readSentenceConfig } from "../../../src/core/text/sentence-transformers.js";

const goldens = path.join(import.meta.dirname, "../../golden");

describe("the settings of a model without files of sentence-transformers", () => {
  it("are mean pooling to length 1", async () => {
    const settings = await readSentenceConfig(path.join(goldens, "bert-legacy"));
    expect(settings).toMatchObject({ pooling: ["mean"], normalize: true });
  });

  it("are the class's own where it makes vectors itself", async () => {
    const settings = await readSentenceConfig(path.join(goldens, "model-types/dpr"));
    expect(settings).toMatchObject({ pooling: ["cls"], normalize: false });
  });
});
