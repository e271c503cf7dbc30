import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { benchCase, benchResult } from "../bench-result.js";
import { golden } from "../golden/reference.js";
import { hfms, outcome, program, temporaryHome, testEnvironment } from "./hfms.js";

const home = temporaryHome();
const llama = golden("llama-gqa").directory;
const bert = golden("bert-mean").directory;
const quick = ["--prompt-tokens", "12", "--max-tokens", "6", "--dtype", "fp32", "--repeats", "2"];
const file = (name: string) => path.join(home(), name);

describe("hfms bench", () => {
  it("prints a table with a row a case, and says on stderr what it measures", async () => {
    const { code, stdout, stderr } = await hfms(home(), ["bench", llama, ...quick, "--batch", "1,2"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^processor {2,}\S/);
    const [name, head, ...rows] = stdout.split("\n\n")[1].trimEnd().split("\n");
    expect(name).toBe(llama);
    expect(head.split(/ {2,}/)).toEqual(
      expect.arrayContaining(["DTYPE", "IN", "OUT", "BATCH", "FIRST ms", "GENERATED/s", "MEMORY"]),
    );
    expect(rows.map((row) => /fp32 +cpu +12 +6 +(\d)/.exec(row)?.[1])).toEqual(["1", "2"]);
    expect(stderr).toContain(`measuring ${llama} fp32 on cpu, 12 + 6 tokens, 2 at once\n`);
  });

  it("gives one JSON document with machine, versions and arguments, the same as --output stores", async () => {
    const args = [
      "bench",
      llama,
      ...quick,
      "--json",
      "--quiet",
      "--output",
      file("stored.json"),
      "--seed",
      "3",
    ];
    const { code, stdout, stderr } = await hfms(home(), args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(await readFile(file("stored.json"), "utf8")).toBe(stdout);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({
      schema: "hfms-bench",
      schema_version: 1,
      complete: true,
      hfms: { version: expect.stringMatching(/^\d+\.\d+\.\d+/) },
      runtime: { name: "onnxruntime", version: expect.stringMatching(/^\d/) },
      node: process.versions.node,
      machine: { platform: process.platform, arch: process.arch, memory_bytes: expect.any(Number) },
      arguments: args.slice(1),
      settings: { warmup: 1, repeats: 2, seed: 3, speculation: false },
    });
    expect(new Date(result.date).toISOString()).toBe(result.date);
    expect(result.cases).toHaveLength(1);
    expect(result.cases[0]).toMatchObject({
      task: "text-generation",
      model_type: "llama",
      prompt_tokens: 12,
      max_tokens: 6,
    });
    expect(result.cases[0].measures.itl_p99_ms.samples).toHaveLength(2);
  });

  it("measures generators and embedders in one go, each in a table of its own", async () => {
    const { code, stdout } = await hfms(home(), [
      "bench",
      llama,
      bert,
      ...quick,
      "--texts",
      "3",
      "--verbose",
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^DTYPE .*GENERATED\/s/m);
    expect(stdout).toMatch(/^DTYPE .*TEXTS\/s/m);
    expect(stdout).toMatch(/^time to first token, ms +[\d.]+ +[\d.]+ +[\d.]+ +[\d.]+%$/m);
    expect(stdout).toMatch(/J\/TOKEN|no energy: /);
  });

  it("writes a page with plots that asks for nothing else", async () => {
    const args = [
      "bench",
      llama,
      bert,
      ...quick,
      "--texts",
      "3",
      "--batch",
      "1,2",
      "--html",
      file("report.html"),
    ];
    expect((await hfms(home(), args)).code).toBe(0);
    const page = await readFile(file("report.html"), "utf8");
    expect(page).toMatch(/^<!doctype html>/);
    expect(page.match(/<svg /g)!.length).toBeGreaterThanOrEqual(8);
    expect(page).toContain("generation, all streams");
    expect(page).toContain("time of a whole request");
    expect(page).not.toMatch(/https?:|\bsrc=|\bhref=|@import|url\(|<script|<link|<iframe/);
    const open = page.match(/<(svg|figure|section|table|main|g|ul)\b/g)!.length;
    expect(page.match(/<\/(svg|figure|section|table|main|g|ul)>/g)).toHaveLength(open);
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });
});

describe("hfms bench --compare", () => {
  const store = (name: string, ...samples: number[]) =>
    writeFile(file(name), JSON.stringify(benchResult([benchCase({ generate_per_second: samples })])));

  it("puts two stored results side by side, with the ratio and whether it is more than the spread", async () => {
    await store("before.json", 10, 11, 12);
    await store("after.json", 20, 22, 24);
    const { code, stdout, stderr } = await hfms(home(), [
      "bench",
      "--compare",
      file("before.json"),
      file("after.json"),
    ]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("org/model int8 on cpu, 64 + 64 tokens, 1 at once\n");
    expect(stdout).toMatch(
      /generation, all streams, tokens\/s +11\.0 \(10\.0–12\.0\) +22\.0 \(20\.0–24\.0\) +2\.00 × +better/,
    );
    const same = await hfms(home(), ["bench", "--compare", file("before.json"), file("before.json")]);
    expect(same.stdout).toMatch(/1\.00 × +within the spread/);
  });

  it("gives the comparison as JSON", async () => {
    await store("slow.json", 5, 5.5);
    await store("fast.json", 10, 11);
    const { stdout } = await hfms(home(), [
      "bench",
      "--json",
      "--compare",
      file("fast.json"),
      file("slow.json"),
    ]);
    expect(JSON.parse(stdout)).toMatchObject({
      warnings: [],
      cases: [{ measures: [{ measure: "generate_per_second", ratio: 0.5, verdict: "worse" }] }],
    });
  });

  it("measures a model and compares it with a stored result, and warns of what else differs", async () => {
    await hfms(home(), ["bench", llama, ...quick, "--output", file("first.json")]);
    const again = ["bench", llama, ...quick, "--seed", "9", "--compare", file("first.json")];
    const { code, stdout, stderr } = await hfms(home(), again);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^time to first token, ms .* ×/m);
    expect(stderr).toContain("note: --seed differs: 0 before, 9 after\n");
  });

  it("refuses what is no result, or of another version of the format", async () => {
    await store("good.json", 1);
    await writeFile(file("new.json"), JSON.stringify({ ...benchResult([]), schema_version: 99 }));
    const refused = await hfms(home(), ["bench", "--compare", file("good.json"), file("new.json")]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(
      /new\.json" has version 99 of the format; this hfms compares version 1\nhint: measure again/,
    );
    const missing = await hfms(home(), ["bench", "--compare", file("good.json"), file("nowhere.json")]);
    expect(missing.code).toBe(6);
    expect(missing.stderr).toMatch(/nowhere\.json" does not exist/);
  });
});

describe("a benchmark that ends early", () => {
  const long = (...flags: string[]) => [
    "bench",
    llama,
    "--prompt-tokens",
    "12",
    "--max-tokens",
    "480",
    "--dtype",
    "fp32",
    "--repeats",
    "1",
    "--warmup",
    "0",
    "--batch",
    "1,64,65,66,67,68",
    ...flags,
  ];

  /** Stopped once its second case has begun. */
  async function stopped(args: string[], signal: NodeJS.Signals) {
    const child = spawn(process.execPath, [program, ...args], { env: testEnvironment(home()) });
    child.stderr.on("data", (text) => {
      if (String(text).includes("64 at once")) child.kill(signal);
    });
    return outcome(child);
  }

  it("prints and stores at Ctrl-C what was measured, with exit code 130", async () => {
    const { code, stdout, stderr } = await stopped(long("--output", file("part.json")), "SIGINT");
    expect(code).toBe(130);
    expect(stderr).toMatch(/^stopped$/m);
    expect(stdout.split("\n\n")[1].trimEnd().split("\n")).toHaveLength(3);
    expect(JSON.parse(await readFile(file("part.json"), "utf8"))).toMatchObject({
      complete: false,
      cases: [{ batch: 1 }],
    });
  });

  it("is still one JSON document, which says why it ended", async () => {
    const { code, stdout, stderr } = await stopped(long("--json"), "SIGTERM");
    expect(code).toBe(143);
    expect(stderr).toMatch(/^stopped$/m);
    expect(JSON.parse(stdout)).toMatchObject({
      complete: false,
      cases: [{ batch: 1 }],
      error: { code: "aborted" },
    });
  });
});

describe("a mistake", () => {
  it.each<[string, string[], number, RegExp[]]>([
    ["no model at all", ["bench"], 2, [/MODEL is missing/, /hfms bench smollm2/]],
    [
      "an unknown dtype in a list",
      ["bench", llama, "--dtype", "int8,int9"],
      2,
      [/--dtype can't be "int9"/, /did you mean int[48]\?/],
    ],
    [
      "an unknown device",
      ["bench", llama, "--device", "cpu,gpu"],
      2,
      [/--device can't be "gpu"/, /one of auto, cpu/],
    ],
    ["a batch of none", ["bench", llama, "--batch", "4,0"], 2, [/--batch can't be "0"/, /1 or more/]],
    ["half a token", ["bench", llama, "--max-tokens", "1.5"], 2, [/--max-tokens can't be "1.5"/]],
    ["an empty list", ["bench", llama, "--batch", ""], 2, [/--batch can't be ""/]],
    ["no repeats", ["bench", llama, "--repeats", "0"], 2, [/--repeats can't be "0"/]],
    [
      "a prompt longer than the context",
      ["bench", llama, "--prompt-tokens", "64,500"],
      10,
      [/500 tokens and 64 new ones don't fit: the context of .*llama-gqa is 512/],
    ],
    ["a device that is not there", ["bench", llama, "--device", "cpu,qnn"], 9, [/qnn/]],
    ["a model that nobody knows", ["bench", llama, "smolm2"], 3, [/"smolm2"/, /did you mean smollm2/]],
    ["one result to compare with nothing", ["bench", "--compare", "a.json"], 2, [/--compare has one file/]],
    [
      "a model and two results",
      ["bench", llama, "--compare", "a.json", "b.json"],
      2,
      [/--compare has 2 files/],
    ],
  ])("is refused before anything is measured: %s", async (_, args, code, stderr) => {
    const found = await hfms(home(), args);
    expect(found).toMatchObject({ code, stdout: "" });
    for (const pattern of stderr) expect(found.stderr).toMatch(pattern);
    expect(found.stderr).not.toContain("measuring");
  });

  it("in a model's file is found before the first model is measured", async () => {
    const gguf = golden("llama-gguf-f32");
    const bytes = await readFile(path.join(gguf.directory, gguf.reference.file!));
    await writeFile(file("broken.gguf"), bytes.subarray(0, bytes.length - 4096));
    const { code, stdout, stderr } = await hfms(home(), ["bench", llama, file("broken.gguf"), ...quick]);
    expect({ code, stdout }).toEqual({ code: 7, stdout: "" });
    expect(stderr).toMatch(/cut off/);
    expect(stderr).not.toContain("measuring");
  });

  it("in the name of a file to write is found before anything is measured", async () => {
    const args = ["bench", llama, ...quick, "--output", path.join(home(), "no", "such", "folder.json")];
    const { code, stdout, stderr } = await hfms(home(), args);
    expect({ code, stdout }).toEqual({ code: 6, stdout: "" });
    expect(stderr).not.toContain("measuring");
    expect(existsSync(path.join(home(), "no"))).toBe(false);
  });
});
