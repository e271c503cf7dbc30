import { readFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { commandReference, type Manifest } from "../../build/command-reference.js";
import { buildManifest } from "../../build/manifest.js";
import { hfms, root, temporaryHome } from "./hfms.js";

const home = temporaryHome();
let manifest: Manifest;

beforeAll(async () => {
  manifest = JSON.parse(await readFile(path.join(root, "oclif.manifest.json"), "utf8"));
});

describe("the first page", () => {
  it.each([[[]], [["--help"]], [["-h"]], [["help"]]])("is shown for %j, with every command", async (args) => {
    const { code, stdout, stderr } = await hfms(home(), args);
    expect(stdout).toContain('hfms run smollm2 "What is the capital of France?"');
    // Of several commands about one thing, the first page shows the thing.
    const ids = Object.keys(manifest.commands).map((id) => id.split(":")[0]);
    for (const id of [...ids, "autocomplete", "help"]) {
      expect(stdout).toMatch(new RegExp(`^  ${id} +\\S`, "m"));
    }
    expect(stderr).toBe("");
    expect(code).toBe(0);
  });

  it("is there in 300 ms", async () => {
    const times: number[] = [];
    for (let i = 0; i < 5; i++) {
      const start = performance.now();
      await hfms(home(), ["--help"]);
      times.push(performance.now() - start);
    }
    // The best of five: other tests share the machine.
    expect(Math.min(...times)).toBeLessThan(300);
  });
});

describe("the help of a command", () => {
  it("names every flag, its purpose and examples", async () => {
    for (const [id, { flags }] of Object.entries(manifest.commands)) {
      const { code, stdout } = await hfms(home(), [...id.split(":"), "--help"]);
      for (const [name, { summary }] of Object.entries(flags)) {
        expect(stdout).toMatch(new RegExp(`--(\\[no-\\])?${name}\\b`));
        expect(summary, `${id} --${name}`).toBeTruthy();
      }
      expect(stdout).toMatch(/^EXAMPLES\n {2}\$ /m);
      expect(code).toBe(0);
    }
  });

  it("fits into 80 columns", async () => {
    for (const id of Object.keys(manifest.commands)) {
      const { stdout } = await hfms(home(), [...id.split(":"), "--help"]);
      for (const line of stdout.split("\n")) {
        if (!line.startsWith("  $")) expect(line.length, line).toBeLessThanOrEqual(80);
      }
    }
  });

  it("is the same through `help <command>`", async () => {
    const [flag, command] = await Promise.all([
      hfms(home(), ["run", "--help"]),
      hfms(home(), ["help", "run"]),
    ]);
    expect(command.stdout).toBe(flag.stdout);
  });
});

it("tells its version", async () => {
  const { version } = JSON.parse(await readFile(path.join(root, "package.json"), "utf8"));
  for (const flag of ["--version", "-V"]) {
    const { code, stdout } = await hfms(home(), [flag]);
    expect(stdout).toMatch(new RegExp(`^hfms/${version} \\S+ node-v\\d+`));
    expect(code).toBe(0);
  }
});

describe("what is made from the commands (`npm run manifest` renews it)", () => {
  it("is oclif.manifest.json", async () => {
    expect(await buildManifest()).toEqual(manifest);
  });

  it("is docs/commands.md", async () => {
    const text = await readFile(path.join(root, "docs/commands.md"), "utf8");
    expect(text).toBe(commandReference(manifest));
  });
});

it("says what is wrong on a Node that is too old", async () => {
  const source = await readFile(path.join(root, "bin/run.js"), "utf8");
  const { spawn } = await import("node:child_process");
  const { outcome } = await import("./hfms.js");
  const old = 'Object.defineProperty(process.versions, "node", { value: "18.20.0" });\n';
  const child = spawn(process.execPath, ["--input-type=module", "-e", old + source.replace(/^#!.*\n/, "")]);
  const { code, stderr } = await outcome(child);
  expect(stderr).toContain("hfms needs Node.js 22 or newer, this is 18.20.0");
  expect(code).toBe(1);
});
