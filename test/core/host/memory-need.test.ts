import { expect, it } from "vitest";
import { generate } from "../../engine-sandbox.js";
import { finish } from "../../tiny-model.js";
import { greedy, hostedEngines } from "./hosted-engine.js";

const hosted = hostedEngines();

it("expects less memory of a model with a cache of int8, which is another one than that without", async () => {
  const engine = await hosted();
  const int8 = { model: greedy.model, dtype: "fp32", kvCacheDtype: "int8" } as const;
  const exact = await finish(engine.prepare({ ...int8, kvCacheDtype: "fp32" }));
  const prepared = await finish(engine.prepare(int8));
  expect(prepared.directory).not.toBe(exact.directory);
  expect(prepared.memoryNeed).toBeLessThan(exact.memoryNeed);
  await generate(engine, { ...greedy, maxTokens: 2 });
  const { events } = await generate(engine, { ...greedy, ...int8, maxTokens: 2 });
  expect(events.find((event) => event.type === "ready")).toMatchObject({ kvCacheDtype: "int8" });
  expect((await engine.ps()).map(({ kvCacheDtype }) => kvCacheDtype)).toEqual([undefined, "int8"]);
});
