import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { greedy, llama, pull, sandbox } from "../hub-sandbox.js";
import { collect } from "../tiny-model.js";

/** tiny-llama as it was before its pull request, and the branch of that. */
async function converted() {
  const files = Object.fromEntries(
    readdirSync(llama.directory).map((name) => [name, readFileSync(path.join(llama.directory, name))]),
  );
  const { "model.safetensors": weights, ...others } = files;
  const id = "acme/old-llama";
  const pickled = { ...others, "pytorch_model.bin": Buffer.from("\x80\x02}q\x00.", "latin1") };
  const box = await sandbox({ repositories: [{ id, files: pickled }] });
  box.server.publish({ id, revision: "refs/pr/7", files: { ...pickled, "model.safetensors": weights } });
  return { ...box, id };
}

describe("a repository that has pickle files only", () => {
  it("is refused with the reason and what to do, and none of them is fetched", async () => {
    const { engine, server, id } = await converted();
    const refusal = {
      code: "unsupported_model",
      message: `${id} has its weights in pickle files only (pytorch_model.bin)`,
      hint: expect.stringContaining("--revision refs/pr/1"),
    };
    await expect(pull(engine, { model: id })).rejects.toMatchObject(refusal);
    await expect(collect(engine.generate({ ...greedy, model: id }))).rejects.toMatchObject(refusal);
    expect(server.requests.filter(({ path: asked }) => asked.includes("pytorch_model.bin"))).toEqual([]);
  });

  it("runs from the branch of the pull request that adds safetensors", async () => {
    const { engine, server, id } = await converted();
    const events = await collect(engine.generate({ ...greedy, model: id, revision: "refs/pr/7" }));
    const text = events.map((event) => (event.type === "text" ? event.text : "")).join("");
    expect(llama.reference.prompts[1].greedyText.startsWith(text)).toBe(true);
    expect(text).not.toBe("");
    expect(server.requests.filter(({ path: asked }) => asked.includes("pytorch_model.bin"))).toEqual([]);
  });
});

describe("a repository with weights in a form that hfms does not read", () => {
  it.each([
    ["bitsandbytes", { quantization_config: { quant_method: "bitsandbytes", load_in_4bit: true } }],
    ["MLX", { quantization: { group_size: 64, bits: 4 } }],
  ])("of %s is refused before they are transferred", async (what, change) => {
    const id = "acme/other-numbers";
    const config = JSON.parse(readFileSync(path.join(llama.directory, "config.json"), "utf8"));
    const files = {
      "config.json": JSON.stringify({ ...config, ...change }),
      "model.safetensors": Buffer.alloc(1000),
      "tokenizer.json": "{}",
    };
    const { engine, server } = await sandbox({ repositories: [{ id, files }] });
    const refusal = { code: "unsupported_model", message: expect.stringContaining(`does not read ${what}`) };
    await expect(pull(engine, { model: id })).rejects.toMatchObject(refusal);
    await expect(collect(engine.generate({ ...greedy, model: id }))).rejects.toMatchObject(refusal);
    expect(server.requests.filter(({ path: asked }) => asked.includes("safetensors"))).toEqual([]);
  });

  it("and a damaged config.json are refused by the file's name", async () => {
    const id = "acme/damaged";
    const files = { "config.json": "{", "model.safetensors": Buffer.alloc(1000), "tokenizer.json": "{}" };
    const { engine } = await sandbox({ repositories: [{ id, files }] });
    const refusal = {
      code: "corrupt_file",
      message: expect.stringContaining("config.json is no valid JSON"),
    };
    await expect(pull(engine, { model: id })).rejects.toMatchObject(refusal);
  });
});
