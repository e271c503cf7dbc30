import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { hfms, temporaryHome } from "./hfms.js";
import { hasTerminal, openTerminal } from "./terminal-session.js";

const home = temporaryHome();

async function skills(
  ...args: string[]
): Promise<{ skill: { name: string; tasks: string[]; model_type: string } }[]> {
  const { code, stdout } = await hfms(home(), ["discover", ...args, "--json"]);
  expect(code).toBe(0);
  return JSON.parse(stdout).skills;
}

describe("hfms discover", () => {
  it("lists all skills, and narrows them by task, architecture, model and words", async () => {
    const all = await skills();
    expect(all.length).toBeGreaterThan(200);
    const embedding = await skills("--task", "feature-extraction");
    expect(embedding.length).toBeLessThan(all.length);
    for (const { skill } of embedding) expect(skill.tasks).toContain("feature-extraction");
    for (const { skill } of await skills("--architecture", "gpt2")) expect(skill.model_type).toBe("gpt2");
    expect((await skills("--model", "smollm2"))[0].skill.name).toMatch(/smollm2/);
    expect((await skills("gpt2"))[0].skill.name).toBe("hf_gpt2");
  });

  it("says in the table what runs here", async () => {
    const { stdout } = await hfms(home(), ["discover", "--runnable"]);
    expect(stdout).toMatch(/^SKILL .*RUNS HERE$/m);
    expect(stdout).toMatch(/^hf_gpt2 .* yes$/m);
    expect(stdout).toMatch(/\n\d+ skills, \d+ can run here\n$/);
  });

  it.skipIf(!hasTerminal)(
    "lists by task on a terminal, and by how well they match where words are given",
    async () => {
      const shown = async (...words: string[]) => {
        await using terminal = openTerminal(home(), ["discover", ...words], { NO_COLOR: "1" });
        return stripVTControlCharacters((await terminal.ended).stdout);
      };
      const all = await shown();
      expect(all).toMatch(/^text-generation: \d+\r?$/m);
      expect(all.split("\n").every((line) => line.length <= 101)).toBe(true);
      expect(await shown("smollm2")).toMatch(/^SKILL .*TASKS.*\r?\nhf_smollm2/);
    },
  );

  it("says so when nothing matches", async () => {
    const { code, stdout, stderr } = await hfms(home(), ["discover", "--model", "no-such-model-anywhere"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(stderr).toContain("no skill matches");
  });
});

describe("hfms hardware", () => {
  it("reports processor, memory, every backend and what auto takes", async () => {
    const { code, stdout } = await hfms(home(), ["hardware", "--json"]);
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    expect(report.memory.total).toBeGreaterThan(0);
    expect(report.cpu.threads).toBeGreaterThan(0);
    const backends = report.backends.map(({ backend }: { backend: string }) => backend);
    expect(backends.sort()).toEqual(["cpu", "cuda", "directml", "mps", "openvino", "qnn", "rocm", "webgpu"]);
    for (const { usable, reason } of report.backends) {
      expect(typeof usable).toBe("boolean");
      expect(reason).toMatch(/\S/);
    }
    expect(report.selected.device).toMatch(/\S/);
  });

  it("shows the same as a table", async () => {
    const { stdout } = await hfms(home(), ["hardware"]);
    expect(stdout).toMatch(/^memory +\S+ .B free of/m);
    expect(stdout).toMatch(/^cpu +yes /m);
  });
});
