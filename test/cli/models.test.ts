import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { golden } from "../golden/reference.js";
import { type HubServer, startHubServer } from "../hub-server.js";
import { hfms, type Options, outcome, program, temporaryHome, testEnvironment } from "./hfms.js";
import { hasTerminal, openTerminal } from "./terminal-session.js";

const home = temporaryHome();
const { directory, reference } = golden("llama-gqa");
let hub: HubServer;
let commit: string;

beforeAll(async () => {
  hub = await startHubServer({ repositories: [{ id: "org/secret", files: directory, gated: "manual" }] });
  commit = hub.publish({ id: "org/tiny", files: directory });
});
afterAll(() => hub.close());

/** hfms with the Hub of this file in reach. */
function online(args: string[], options: Options = {}) {
  return hfms(home(), args, {
    ...options,
    env: { HF_HUB_OFFLINE: "0", HF_ENDPOINT: hub.url, ...options.env },
  });
}

it("describes a model by its skill where its source is out of reach, and notes so on stderr", async () => {
  const { code, stdout, stderr } = await hfms(home(), ["info", "gpt2"]);
  expect(stdout).toMatch(/^type +gpt2$/m);
  expect(stderr).toMatch(/^note: .+ the skill hf_gpt2 says\n$/);
  expect(code).toBe(0);
});

describe("models from a Hub", () => {
  it("are planned, pulled, listed, described, run offline and removed", async () => {
    const plan = await online(["pull", "org/tiny", "--dry-run", "--json"]);
    expect(JSON.parse(plan.stdout).models[0]).toMatchObject({ model: "org/tiny", revision: commit });
    expect(
      existsSync(path.join(home(), "hub", "models--org--tiny", "snapshots", commit, "model.safetensors")),
    ).toBe(false);

    const pulled = await online(["pull", "org/tiny"]);
    expect(pulled.code).toBe(0);
    expect(pulled.stdout).toMatch(/^org\/tiny {2}.+ in \d+ files {2}.+\n$/);

    const again = await online(["pull", "org/tiny", "--dry-run"]);
    expect(again.stdout).toContain("nothing to download");

    const info = JSON.parse((await hfms(home(), ["info", "org/tiny", "--json"])).stdout);
    expect(info).toMatchObject({
      model: "org/tiny",
      revision: commit,
      model_type: "llama",
      context_length: 512,
      runnable: { yes: true },
    });
    expect((await hfms(home(), ["info", "org/tiny"])).stdout).toMatch(/^context +512 tokens$/m);

    const run = await hfms(home(), [
      ...["run", "org/tiny", "--raw", "--dtype", "fp32", "--temperature", "0", "--max-tokens", "4", "--json"],
      reference.prompts[0].text,
    ]);
    expect(JSON.parse(run.stdout).output.tokens).toEqual(reference.prompts[0].greedy.slice(0, 4));

    const { models } = JSON.parse((await hfms(home(), ["list", "--json"])).stdout);
    expect(models).toHaveLength(1);
    expect(models[0]).toMatchObject({
      model: "org/tiny",
      source: "hub",
      revisions: [commit],
      model_type: "llama",
    });
    expect(models[0].graphs[0]).toMatchObject({ dtype: "fp32" });
    expect((await hfms(home(), ["list"])).stdout).toMatch(/^MODEL .+\norg\/tiny /);

    const removed = await hfms(home(), ["rm", "org/tiny", "--yes"]);
    expect(removed.code).toBe(0);
    expect(removed.stdout).toMatch(/^removed org\/tiny, .+ are free again\n$/);
    const empty = await hfms(home(), ["list"]);
    expect(empty).toEqual({
      code: 0,
      stdout: "",
      stderr: expect.stringContaining("no models on this machine yet"),
    });
    expect(JSON.parse((await hfms(home(), ["list", "--json"])).stdout)).toEqual({ models: [] });
  });

  it("that are one file are counted as one", async () => {
    const gguf = golden("llama-gguf-q8_0");
    hub.publish({ id: "org/one", files: gguf.directory });
    expect((await online(["pull", "org/one"])).stdout).toMatch(/^org\/one {2}.+ in 1 file {2}.+\n$/);
    await online(["rm", "org/one", "--yes"]);
  });

  it.skipIf(!hasTerminal)("are removed from a terminal only when somebody says yes", async () => {
    await online(["pull", "org/tiny"]);
    for (const [answer, code, kept] of [
      ["n\r", 0, true],
      ["\u0003", 130, true],
      ["y\r", 0, false],
    ] as const) {
      await using terminal = openTerminal(home(), ["rm", "org/tiny"]);
      await terminal.until(/Remove org\/tiny \(.+\)\?/);
      await terminal.type(answer);
      expect((await terminal.ended).code).toBe(code);
      const { models } = JSON.parse((await hfms(home(), ["list", "--json"])).stdout);
      expect(models).toHaveLength(kept ? 1 : 0);
    }
  });

  it("are pulled one after the other, and a failure names the one at fault", async () => {
    const { code, stdout, stderr } = await online(["pull", "org/tiny", "org/missing"]);
    expect(stdout).toContain("org/tiny");
    expect(stderr).toContain("org/missing");
    expect(code).toBe(3);
  });

  it("go on where Ctrl-C stopped them", async () => {
    const config = '{"model_type":"llama"}';
    const files = {
      "config.json": config,
      "tokenizer.json": "{}",
      "model.safetensors": new Uint8Array(2_000_000),
    };
    hub.publish({ id: "org/slow", files });
    hub.faults.push({ path: /./, bytesPerSecond: 500_000 });
    const env = testEnvironment(home(), { HF_HUB_OFFLINE: "0", HF_ENDPOINT: hub.url });
    const child = spawn(process.execPath, [program, "pull", "org/slow"], { env });
    const ended = outcome(child);
    // The redirect to the store; the store's own request is in the list when it is over.
    const redirected = () => hub.requests.some(({ path, status }) => path.includes("slow") && status === 302);
    while (!redirected()) await delay(20);
    await delay(800);
    child.kill("SIGINT");
    expect(await ended).toEqual({
      code: 130,
      stdout: "",
      stderr: "stopped\nhint: the same command goes on where it stopped\n",
    });
    hub.faults.length = 0;
    const before = hub.requests.length;
    expect((await online(["pull", "org/slow"])).code).toBe(0);
    const ranges = hub.requests.slice(before).map(({ headers }) => headers.range);
    expect(ranges.some((range) => /^bytes=[1-9]/.test(range ?? ""))).toBe(true);
    await online(["rm", "org/slow", "--yes"]);
  });

  it("need a token and access when they are gated, and that is said", async () => {
    const { code, stderr } = await online(["pull", "org/secret"]);
    expect(stderr).toMatch(/org\/secret/);
    expect(stderr).toMatch(/hint: .*(access|token)/i);
    expect(code).toBe(4);
  });

  it("have no revision that the Hub doesn't know", async () => {
    const { code, stderr } = await online(["pull", "org/tiny", "--revision", "v9"]);
    expect(stderr).toContain("v9");
    expect(code).toBe(3);
  });

  it("are not there when the Hub is out of reach, and that takes no minute", async () => {
    const start = performance.now();
    // Port 9 of the own machine: nobody listens.
    const { code, stderr } = await online(["pull", "org/other"], {
      env: { HF_ENDPOINT: "http://127.0.0.1:9" },
    });
    expect(stderr).toContain("127.0.0.1:9");
    expect(code).toBe(5);
    expect(performance.now() - start).toBeLessThan(20_000);
  });

  it("are not asked for where HF_HUB_OFFLINE is set", async () => {
    const before = hub.requests.length;
    const { code, stderr } = await hfms(home(), ["run", "org/other", "hi"], {
      env: { HF_ENDPOINT: hub.url },
    });
    expect(stderr).toMatch(/HF_HUB_OFFLINE|offline/i);
    expect(code).toBe(5);
    expect(hub.requests).toHaveLength(before);
  });
});

describe("a model that can't be run", () => {
  async function copy(name: string): Promise<string> {
    const folder = path.join(home(), name);
    await cp(directory, folder, { recursive: true });
    return folder;
  }

  it("is unknown by that name, and the nearest skill is suggested", async () => {
    const { code, stderr } = await online(["run", "hf_gtp2", "hi"]);
    expect(stderr).toMatch(/hf_gtp2/);
    expect(stderr).toMatch(/hint: .*gpt2/);
    expect(code).toBe(3);
  });

  it("is a folder that is not there", async () => {
    const { code, stderr } = await hfms(home(), ["run", "./no-such-folder", "hi"]);
    expect(stderr).toContain("no-such-folder");
    expect(code).toBe(3);
  });

  it("is of a type that hfms has no graph for, and the hint says how to find those that it has", async () => {
    const folder = path.join(home(), "strange");
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, "config.json"), '{"model_type":"strangeformer"}');
    await cp(path.join(directory, "model.safetensors"), path.join(folder, "model.safetensors"));
    await cp(path.join(directory, "tokenizer.json"), path.join(folder, "tokenizer.json"));
    const { code, stderr } = await hfms(home(), ["run", folder, "hi"]);
    expect(stderr).toContain("strangeformer");
    expect(stderr).toMatch(/^hint: .+`hfms discover --runnable`/m);
    expect(code).toBe(8);
  });

  it("has a safetensors file that is cut off", async () => {
    const folder = await copy("cut");
    await truncate(path.join(folder, "model.safetensors"), 5000);
    const { code, stderr } = await hfms(home(), ["run", folder, "hi", "--max-tokens", "1"]);
    expect(stderr).toMatch(/model\.safetensors/);
    expect(code).toBe(7);
  });

  it("has a safetensors file whose header lies about its size", async () => {
    const folder = await copy("lying");
    const bytes = Buffer.alloc(64, 0xff);
    await writeFile(path.join(folder, "model.safetensors"), bytes);
    const { code, stderr } = await hfms(home(), ["run", folder, "hi", "--max-tokens", "1"]);
    expect(stderr).toMatch(/model\.safetensors/);
    expect(code).toBe(7);
  });

  it("has a GGUF file that is cut off, or is none", async () => {
    const gguf = golden("llama-gguf-q8_0");
    const file = path.join(home(), "cut.gguf");
    await cp(path.join(gguf.directory, gguf.reference.file ?? ""), file);
    await truncate(file, 20_000);
    const cut = await hfms(home(), ["run", file, "hi", "--max-tokens", "1"]);
    expect(cut.stderr).toMatch(/cut\.gguf/);
    expect(cut.code).toBe(7);

    const none = path.join(home(), "none.gguf");
    await writeFile(none, "this is no model");
    const refused = await hfms(home(), ["run", none, "hi"]);
    expect(refused.stderr).toMatch(/none\.gguf/);
    expect(refused.code).toBe(7);
  });

  it("leaves no half-built graph behind", async () => {
    const cache = path.join(home(), "hfms");
    const left = existsSync(cache) ? await readdir(cache, { recursive: true }) : [];
    expect(left.filter((name) => /cut|lying|none|strange/.test(name) && /\.(onnx|data)$/.test(name))).toEqual(
      [],
    );
  });

  it("needs hardware that is not here, when --require-device insists on it", async () => {
    const { code, stderr } = await hfms(home(), [
      "run",
      directory,
      "hi",
      "--device",
      "qnn",
      "--require-device",
    ]);
    expect(stderr).toContain("qnn");
    expect(code).toBe(9);
  });

  it("falls back to the CPU with a notice otherwise", async () => {
    const args = ["run", directory, "hi", "--device", "qnn", "--max-tokens", "1"];
    const { code, stderr } = await hfms(home(), args);
    expect(stderr).toMatch(/^note: .*qnn/i);
    expect(code).toBe(0);
    expect((await hfms(home(), [...args, "--quiet"])).stderr).toBe("");
  });
});
