import { describe, expect, it } from "vitest";
import { DecoderDrift } from "../../../src/core/quality/decoder-drift.js";
import type { DriftReport, QualityRequest } from "../../../src/core/requests.js";
import { engineHome, openEngine } from "../../engine-sandbox.js";
import { golden } from "../../golden/reference.js";
import { collect } from "../../tiny-model.js";

const home = engineHome();

async function quality(request: QualityRequest): Promise<DriftReport[]> {
  const engine = await openEngine(home());
  const last = (await collect(engine.quality(request))).at(-1);
  return (last as { drifts: DriftReport[] }).drifts;
}

describe("the drift of a number format", () => {
  it("is measured for a decoder by perplexity, next token and cosine", async () => {
    const [int8, int4] = await quality({ model: golden("llama-gqa").directory });
    expect([int8.dtype, int4.dtype]).toEqual(["int8", "int4"]);
    expect(int8.referencePerplexity).toBe(int4.referencePerplexity);
    expect(int8.positions).toBe(500);
    expect(int8.perplexity! / int8.referencePerplexity!).toBeCloseTo(1, 1);
    expect(int8.agreement).toBeGreaterThan(0.8);
    expect(int8.cosine).toBeGreaterThan(0.99);
    expect(int4.cosine).toBeLessThan(int8.cosine);
    expect(int4.agreement).toBeLessThan(int8.agreement!);
    expect(int4.weightsSize).toBeLessThan(int8.weightsSize);
  });

  it("is measured for an encoder by the cosine of sentences", async () => {
    const [int8] = await quality({ model: golden("bert-mean").directory, dtypes: ["int8"] });
    expect(int8.perplexity).toBeUndefined();
    expect(int8.cosine).toBeGreaterThan(0.999);
    expect(int8.leastCosine).toBeLessThanOrEqual(int8.cosine);
  });

  it("stops when it is told to", async () => {
    const engine = await openEngine(home());
    const controller = new AbortController();
    const events = engine.quality({ model: golden("llama-gqa").directory }, controller.signal);
    const stopped = (async () => {
      for await (const event of events)
        if (event.type === "progress" && event.phase === "measure" && event.done > 0) controller.abort();
    })();
    await expect(stopped).rejects.toMatchObject({ code: "aborted" });
  });
});

describe("the comparison of logits", () => {
  it("is that of the formulas", () => {
    const drift = new DecoderDrift([0, 1, 2], 3);
    const exact = Float32Array.of(...[0, Math.log(3), 0], ...[0, 0, Math.log(2)], ...[9, 9, 9]);
    const rounded = Float32Array.of(...[0, Math.log(3), 0], ...[Math.log(2), 0, 0], ...[1, 2, 3]);
    drift.add(0, exact, rounded);
    const report = drift.report();
    // p = 3/5 and 2/4; p = 3/5 and 1/4. The last position foretells nothing.
    expect(report.positions).toBe(2);
    expect(report.referencePerplexity).toBeCloseTo(Math.sqrt((5 / 3) * 2));
    expect(report.perplexity).toBeCloseTo(Math.sqrt((5 / 3) * 4));
    expect(report.agreement).toBe(0.5);
    expect(report.leastCosine).toBeCloseTo(0);
    expect(report.cosine).toBeCloseTo(0.5);
  });
});
