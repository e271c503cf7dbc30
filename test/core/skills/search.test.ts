import { beforeAll, describe, expect, it } from "vitest";
import type { DiscoverQuery } from "../../../src/core/requests.js";
import { openRegistry, type Registry } from "../../../src/core/skills/registry.js";
import { type Assessment, searchSkills } from "../../../src/core/skills/search.js";
import type { Skill } from "../../../src/core/skills/types.js";

let registry: Registry;
beforeAll(async () => {
  registry = await openRegistry();
});

const anywhere = (): Assessment => ({ runnable: { yes: true, reason: "it runs" } });

async function names(
  query: DiscoverQuery,
  assess: (skill: Skill) => Assessment = anywhere,
): Promise<string[]> {
  return (await searchSkills(registry, query, assess)).map(({ skill }) => skill.name);
}

describe("discover", () => {
  it("lists every skill by name when nothing is asked", async () => {
    expect(await names({})).toEqual(registry.skills.map((skill) => skill.name));
    expect(await names({ text: "  " })).toHaveLength(registry.skills.length);
  });

  it.each([
    ["gpt2", "hf_gpt2"],
    ["gpt-2", "hf_gpt2"],
    ["smollm2", "hf_smollm2"],
    ["chinese bge", "hf_bge_zh"],
    ["norwegian", "hf_nb_sbert"],
    ["tinylama", "hf_tinyllama"],
    ["multilingal e5", "hf_multilingual_e5"],
    ["medical search", "hf_medembed"],
    ["snow", "hf_snowflake_arctic_embed"],
    ["HuggingFaceTB", "hf_smollm"],
  ])("puts for %j first %s", async (text, expected) => {
    expect((await names({ text }))[0]).toBe(expected);
  });

  it.each(["embedding", "embeddings", "Vector", "vectors", "embed"])(
    "finds every encoder for %j",
    async (text) => {
      expect((await names({ text })).sort()).toEqual(
        expect.arrayContaining(await names({ task: "feature-extraction" })),
      );
      expect(await names({ text })).not.toContain("hf_smollm2");
    },
  );

  it('finds all that is made for sentences for "sentence embeddings"', async () => {
    const made = await names({ task: "sentence-similarity" });
    expect(await names({ text: "sentence embeddings" })).toEqual(expect.arrayContaining(made));
  });

  it("tells those that chat from those that only complete", async () => {
    const chat = await names({ text: "chat" });
    expect(chat.length).toBeGreaterThan(15);
    for (const name of ["hf_smollm2", "hf_llama3_2", "hf_tulu3", "hf_hermes3"]) expect(chat).toContain(name);
    for (const name of ["hf_gpt2", "hf_llama2c", "hf_minilm"]) expect(chat).not.toContain(name);
    expect(await names({ text: "completion" })).toEqual(expect.arrayContaining(["hf_gpt2", "hf_smollm2"]));
  });

  it('finds what is made for code, and nothing else, for "code"', async () => {
    const found = await searchSkills(registry, { text: "code" }, anywhere);
    expect(found.map(({ skill }) => skill.name)).toEqual(
      expect.arrayContaining(["hf_codellama", "hf_deepseek_coder", "hf_starcoder2"]),
    );
    for (const { skill } of found) expect(skill.description + skill.name, skill.name).toMatch(/code|program/);
  });

  it("scores text matches, best first", async () => {
    const found = await searchSkills(registry, { text: "embeddings for search" }, anywhere);
    const scores = found.map(({ score }) => score!);
    expect(scores.length).toBeGreaterThan(3);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
  });

  it("finds nothing for a word that nothing has", async () => {
    expect(await names({ text: "xylophone" })).toEqual([]);
  });

  it("filters by task, whatever it is called", async () => {
    const generating = await names({ task: "text-generation" });
    expect(generating).toContain("hf_gpt2");
    expect(generating).not.toContain("hf_minilm");
    expect(await names({ task: "Embeddings" })).toEqual(await names({ task: "feature_extraction" }));
    expect(await names({ task: "image-classification" })).toEqual([]);
  });

  it("refuses a task that does not exist and suggests the nearest", async () => {
    await expect(names({ task: "text-generaton" })).rejects.toMatchObject({
      code: "invalid_request",
      param: "task",
      hint: expect.stringContaining("text-generation"),
    });
  });

  it("filters by architecture, whatever its case", async () => {
    const found = await searchSkills(registry, { architecture: "GPT-2" }, anywhere);
    expect(found.map(({ skill }) => skill.name)).toContain("hf_gpt2");
    expect(new Set(found.map(({ skill }) => skill.modelType))).toEqual(new Set(["gpt2"]));
    await expect(names({ architecture: "gpt3" })).rejects.toMatchObject({
      code: "invalid_request",
      hint: expect.stringContaining("llama"),
    });
  });

  it("filters by hardware", async () => {
    expect(await names({ hardware: "cpu" })).toHaveLength(registry.skills.length);
    expect(await names({ hardware: "qnn" })).toEqual([]);
  });

  it("filters by model: alias, Hub id, or a part of one", async () => {
    expect(await names({ model: "gpt2" })).toEqual(["hf_gpt2"]);
    expect(await names({ model: "baai/bge-large-en-v1.5" })).toEqual(["hf_bge"]);
    const found = await searchSkills(registry, { model: "meta-llama/" }, anywhere);
    expect(found.length).toBeGreaterThan(1);
    for (const { skill } of found) {
      expect(skill.models.map((model) => model.id).join()).toContain("meta-llama/");
    }
  });

  it("combines filters and text", async () => {
    const found = await names({ text: "chinese", task: "sentence-similarity" });
    expect(found).toContain("hf_bge_zh");
    expect(found).not.toContain("hf_bert_chinese");
    expect(found).not.toContain("hf_yi");
  });

  it("keeps what fits and what runs, as the machine says", async () => {
    const assess = (skill: Skill): Assessment => ({
      runnable: skill.modelType === "bert" ? { yes: true, reason: "yes" } : { yes: false, reason: "no" },
      memory: skill.models[0].parameters! * 4,
      fits: skill.models[0].parameters! < 200_000_000,
    });
    const fitting = await searchSkills(registry, { fits: true, runnable: true }, assess);
    expect(fitting.length).toBeGreaterThan(5);
    for (const { skill, memory, fits, runnable } of fitting) {
      expect(skill.modelType).toBe("bert");
      expect(fits).toBe(true);
      expect(runnable.yes).toBe(true);
      expect(memory).toBeGreaterThan(0);
    }
    expect(await names({ fits: true })).toEqual([]);
  });
});
