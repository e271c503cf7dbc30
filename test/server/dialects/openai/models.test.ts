import type OpenAI from "openai";
import { NotFoundError } from "openai";
import { describe, expect, it } from "vitest";
import { golden } from "../../../golden/reference.js";
import { type Serving, serving, sharedServing } from "../../serving.js";

interface Model extends OpenAI.Model {
  status: string;
  aliases: string[];
  capabilities: string[];
  max_model_len?: number;
  commit?: string;
  dtype?: string;
  device?: string;
  source?: string;
  size?: number;
}

const server = sharedServing({ config: { dtype: "fp32" } });
const bert = golden("bert-mean");

async function list(from: Serving = server()): Promise<Model[]> {
  const { data } = await from.client().models.list();
  return data as Model[];
}

async function load(model: string, from: Serving = server()): Promise<void> {
  expect((await from.post("/models/load", { model })).status).toBe(200);
}

describe("the list of models", () => {
  it("has what is on the disk, and what each can be asked", async () => {
    const found = await list();
    const byId = new Map(found.map((model) => [model.id, model]));
    expect(byId.get("golden/llama-gqa")).toEqual({
      id: "golden/llama-gqa",
      object: "model",
      created: expect.any(Number),
      owned_by: "golden",
      status: "available",
      aliases: [],
      capabilities: ["chat", "completions"],
      max_model_len: 512,
      commit: "0".repeat(40),
      source: "hub",
      size: expect.any(Number),
    });
    const capabilities = (name: string) => byId.get(`golden/${name}`)?.capabilities;
    expect(capabilities("gpt2-bare")).toEqual(["completions"]);
    expect(capabilities("bert-mean")).toEqual(["embeddings"]);
    expect(capabilities("bert-classes")).toContain("classify");
    expect(capabilities("bert-ranker")).toContain("rerank");
    // Its files say less than it has positions for.
    expect(byId.get("golden/bert-mean")?.max_model_len).toBe(64);
    const { created } = byId.get("golden/bert-mean")!;
    expect(Math.abs(created - Date.now() / 1000)).toBeLessThan(3600);
  });

  it("says what is in memory, and no more once it is taken out", async () => {
    await load("golden/bert-mean");
    const client = server().client();
    expect(await client.models.retrieve("golden/bert-mean")).toMatchObject({
      status: "loaded",
      dtype: "fp32",
      device: "cpu",
    });
    expect(await client.models.delete("golden/bert-mean")).toEqual({
      id: "golden/bert-mean",
      object: "model",
      deleted: true,
      unloaded: 1,
    });
    const after = (await list()).find(({ id }) => id === "golden/bert-mean");
    expect(after).toMatchObject({ status: "available", dtype: "fp32" });
    // The files are there: it comes back when it is asked for.
    await client.embeddings.create({ model: "golden/bert-mean", input: "a" });
    expect(await client.models.delete("golden/bert-mean")).toMatchObject({ unloaded: 1 });
    expect(await client.models.delete("golden/bert-mean")).toMatchObject({ deleted: true, unloaded: 0 });
  });
});

describe("one model", () => {
  it("is found with its slash as it is, and encoded", async () => {
    for (const path of ["golden/gpt2-bare", "golden%2Fgpt2-bare"]) {
      const response = await server().fetch(`/v1/models/${path}`);
      expect([response.status, await response.json()]).toEqual([
        200,
        expect.objectContaining({ id: "golden/gpt2-bare", object: "model" }),
      ]);
    }
  });

  it("that only a skill knows is found by each of its names", async () => {
    for (const name of ["smollm2", "hf_smollm2", "HuggingFaceTB/SmolLM2-135M-Instruct", "SmolLM2"]) {
      expect(await server().client().models.retrieve(name)).toMatchObject({
        id: "HuggingFaceTB/SmolLM2-135M-Instruct",
        status: "remote",
        owned_by: "HuggingFaceTB",
        aliases: expect.arrayContaining(["smollm2"]),
        capabilities: ["completions"],
      });
    }
  });

  it.each([
    ["no name of the Hub", "no-such-model"],
    ["a model of the Hub that is not here", "acme/nothing"],
    ["a way out of the cache", "../../etc/passwd"],
    ["a file", "/etc/passwd"],
    ["two words", "a b"],
    ["a very long name", "x".repeat(3000)],
    ["a folder that is not configured", bert.directory],
  ])("that nobody knows is a 404: %s", async (_what, name) => {
    const client = server().client();
    for (const ask of [() => client.models.retrieve(name), () => client.models.delete(name)]) {
      const error = await ask().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(NotFoundError);
      expect(error).toMatchObject({ code: "model_not_found", param: "model" });
    }
  });
});

describe("a configured model", () => {
  it("comes first, a folder by the name that it was configured with", async () => {
    await using own = await serving({
      config: { dtype: "fp32", models: [bert.directory, "golden/llama-gqa", "smollm2"] },
    });
    const [folder, llama, remote] = await list(own);
    expect(folder).toMatchObject({ id: bert.directory, owned_by: "local" });
    expect(llama).toMatchObject({ id: "golden/llama-gqa", source: "hub" });
    expect(remote).toMatchObject({ id: "HuggingFaceTB/SmolLM2-135M-Instruct", status: "remote" });
    await load(bert.directory, own);
    expect(await own.client().models.retrieve(bert.directory)).toMatchObject({
      status: "loaded",
      source: "local",
      capabilities: ["embeddings"],
    });
    const { data } = await own.client().embeddings.create({ model: bert.directory, input: "a" });
    expect(data).toHaveLength(1);
  });

  it("is all that there is where no other may be named", async () => {
    await using own = await serving({
      config: { dtype: "fp32", models: ["golden/bert-mean"], modelAccess: "listed" },
    });
    expect((await list(own)).map(({ id }) => id)).toEqual(["golden/bert-mean"]);
    for (const name of ["golden/llama-gqa", "smollm2", "golden/bert-mean@main"])
      await expect(own.client().models.retrieve(name)).rejects.toBeInstanceOf(NotFoundError);
  });

  it("that is on the Hub only is no model where nothing may be downloaded", async () => {
    await using own = await serving({ config: { modelAccess: "local" } });
    await expect(own.client().models.retrieve("smollm2")).rejects.toBeInstanceOf(NotFoundError);
    expect(await own.client().models.retrieve("golden/llama-gqa")).toMatchObject({ status: "available" });
  });
});
