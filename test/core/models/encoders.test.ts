import { describe, expect, it } from "vitest";
import { loadTokenizer } from "../../../src/core/text/tokenizer.js";
import { encoderGoldens, golden } from "../../golden/reference.js";
import { graphsFolder, largestDifference, tinyEncoder } from "../../tiny-model.js";

// Sums in another order; the worst of all goldens was 5.5e-6, on values of up to 4.
const TOLERANCE = 3e-5;

const graphs = graphsFolder();

describe.each(encoderGoldens)("%s", (name) => {
  const { directory, reference } = golden(name);
  // One token more than a block of 64 is where kernels like to change their minds.
  const longest = reference.texts.reduce((a, b) => (a.tokens.length > b.tokens.length ? a : b)).tokens;
  const rows = [...reference.texts.map(({ tokens }) => tokens), longest.slice(0, 65), longest.slice(0, 33)];

  it("has PyTorch's hidden states in fp32", async () => {
    const encoder = await tinyEncoder(name, { root: graphs() });
    const { text, values } = reference.lastHiddenState;
    const output = await encoder.run([rows[text]]);
    expect(output.shape).toEqual([1, ...values.shape]);
    expect(largestDifference(output.data, values.values)).toBeLessThan(TOLERANCE);
  });

  it("tokenizes as transformers does", async () => {
    const tokenizer = await loadTokenizer(directory);
    const whole = reference.texts.filter(({ prompt, tokens }) => !prompt && tokens.length < 64);
    for (const { text, tokens } of whole) {
      const ids = tokenizer.encode(text);
      // A prompt that the model puts before every text stands in the golden's tokens too.
      expect(tokens.slice(-ids.length + 1)).toEqual(ids.slice(1));
    }
  });

  it.each(["fp32", "int8", "int4"] as const)(
    "gives a row in %s bit-equal numbers in any batch",
    async (dtype) => {
      const encoder = await tinyEncoder(name, { root: graphs(), dtype });
      const hidden = encoder.info.hiddenSize;
      const alone: Float32Array[] = [];
      for (const row of rows) alone.push((await encoder.run([row])).data.slice());
      const together = await encoder.run(rows);
      const width = together.shape[1];
      for (const [r, row] of rows.entries()) {
        const start = r * width * hidden;
        expect(together.data.slice(start, start + row.length * hidden)).toEqual(alone[r]);
      }
    },
  );
});
