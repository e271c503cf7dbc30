import { describe, expect, it } from "vitest";
import { serving } from "./serving.js";

describe("models that requests may name", () => {
  it("are those of the disk, where nothing may be downloaded", async () => {
    await using server = await serving({ config: { modelAccess: "local" }, env: { HF_HUB_OFFLINE: "0" } });
    const embed = (model: string) => server.post("/v1/embeddings", { model, input: "a cat" });
    for (const model of ["golden/bert-mean", "golden/bert-mean@main", "golden/bert-mean"])
      expect((await embed(model)).status, model).toBe(200);
    for (const model of ["golden/nothing", "minilm", "sentence-transformers/all-MiniLM-L6-v2"]) {
      const response = await embed(model);
      expect([response.status, await response.json()]).toMatchObject([
        404,
        { error: { code: "model_not_found", param: "model", message: expect.stringContaining("hfms pull") } },
      ]);
    }
  });

  it("are those of the configuration, where it says so", async () => {
    await using server = await serving({ config: { modelAccess: "listed", models: ["golden/bert-mean"] } });
    await server.running.ready;
    const embed = (model: string) => server.post("/v1/embeddings", { model, input: "a cat" });
    expect((await embed("golden/bert-mean")).status).toBe(200);
    const refused = await embed("golden/bert-cls");
    expect(refused.status).toBe(404);
    expect(await refused.json()).toMatchObject({
      error: { code: "model_not_found", message: expect.stringContaining("golden/bert-mean") },
    });
  });
});
