import { expect, it } from "vitest";
import { sendTraffic } from "../../bench/soak-traffic.js";
import { sharedServing } from "./serving.js";

// bench/soak.ts sends 20,000 of these to the program itself, and looks at its memory.
const server = sharedServing({ isolation: "process", config: { dtype: "fp32" } });

it("counts every request of mixed traffic once, and none is stuck", async () => {
  const { url, running, engine } = server();
  const { activities } = running.server.context;
  const counts = await sendTraffic({
    url,
    chat: "golden/llama-gqa",
    encoder: "golden/bert-mean",
    requests: 300,
    seed: 4,
    clients: 6,
  });
  await activities.idle();
  const { received, completed, refused, failed, cancelled } = activities.totals;
  expect(counts.failures).toEqual({});
  expect(completed + refused + failed + cancelled).toBe(received);
  expect([refused, failed]).toEqual([counts.refused, 0]);
  // Who leaves may have been served already, or never have been seen.
  const least = counts.completed + counts.left;
  expect(completed + cancelled).toBeGreaterThanOrEqual(least);
  expect(completed + cancelled).toBeLessThanOrEqual(least + counts.perhaps);
  expect(cancelled).toBeGreaterThan(0);
  expect((await engine.ps()).filter(({ inUse }) => inUse > 0)).toEqual([]);
});
