import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readConfig } from "../../../src/core/index.js";
import { presetConfig, presetNames } from "../../../src/server/config/presets.js";
import { serverConfigSchema } from "../../../src/server/config/schema.js";
import {
  type ConfigSources,
  describeConfig,
  readServerConfig,
} from "../../../src/server/config/server-config.js";
import { environmentName, settingNames, settings } from "../../../src/server/config/settings.js";
import fc from "../../property.js";

let cwd = "";
beforeEach(async () => {
  cwd = await mkdtemp(path.join(os.tmpdir(), "hfms-config-"));
});
afterEach(() => rm(cwd, { recursive: true, force: true }));

const read = (sources: Partial<ConfigSources> = {}) => readServerConfig({ cwd, hfHome: cwd, ...sources });
const inFolder = (name: string, text: string) => writeFile(path.join(cwd, name), text);
const jsonFile = (values: object) => inFolder("hfms.config.json", JSON.stringify(values));

describe("a configuration", () => {
  it("is the development preset where nobody says anything, on this machine alone", async () => {
    const { config, origins, preset, file } = await read();
    expect(config).toEqual({ ...presetConfig("development"), keyFile: path.join(cwd, "hfms-keys.json") });
    expect(config).toMatchObject({ host: "127.0.0.1", port: 8000, insecure: false, apiKeys: [] });
    expect(new Set(Object.values(origins))).toEqual(new Set(["default"]));
    expect({ preset, file }).toEqual({ preset: "development", file: undefined });
  });

  it("takes flags before the environment, that before the file, that before the preset", async () => {
    await jsonFile({ preset: "production", port: 1, drainTimeout: "2s", maxItems: 3, page: true });
    const { config, origins, preset } = await read({
      env: { HF_SERVER_PORT: "2", HF_SERVER_DRAIN_TIMEOUT: "4s" },
      flags: { port: "3" },
    });
    expect(preset).toBe("production");
    expect(config).toMatchObject({ port: 3, drainTimeout: 4000, maxItems: 3, page: true, logFormat: "json" });
    const file = path.join(cwd, "hfms.config.json");
    expect(origins).toMatchObject({
      port: "--port",
      drainTimeout: "HF_SERVER_DRAIN_TIMEOUT",
      maxItems: file,
      page: file,
      logFormat: "preset production",
      host: "default",
    });
  });

  it("takes the last source of any that says something, for any setting in any combination", async () => {
    const port = fc.option(fc.integer({ min: 0, max: 65_535 }), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(port, port, port, async (inFile, inEnv, inFlags) => {
        await jsonFile({ port: inFile });
        const { config } = await read({
          env: inEnv === undefined ? {} : { HF_SERVER_PORT: String(inEnv) },
          flags: { port: inFlags === undefined ? undefined : String(inFlags) },
        });
        expect(config.port).toBe(inFlags ?? inEnv ?? inFile ?? 8000);
      }),
      { numRuns: 30 },
    );
  });

  it("takes a preset from flag, environment or file, in this order", async () => {
    await jsonFile({ preset: "test" });
    expect((await read()).preset).toBe("test");
    expect((await read({ env: { HF_SERVER_PRESET: "production" } })).preset).toBe("production");
    const flags = { preset: "development" };
    expect((await read({ env: { HF_SERVER_PRESET: "production" }, flags })).preset).toBe("development");
  });

  it("takes lists with commas from the environment, and items of any number from flags and files", async () => {
    const origins = ["https://a.example", "http://b.example:8080"];
    await jsonFile({ allowedHosts: ["Models.Example", "models.example"] });
    const { config } = await read({
      env: { HF_SERVER_CORS_ORIGINS: origins.join(", "), HF_SERVER_MODELS: "smollm2" },
      flags: { models: ["minilm", "gpt2"] },
    });
    expect(config.corsOrigins).toEqual(origins);
    expect(config.models).toEqual(["minilm", "gpt2"]);
    expect(config.allowedHosts).toEqual(["models.example"]);
  });

  it("takes milliseconds and bytes as numbers from a file", async () => {
    await jsonFile({ drainTimeout: 1500, maxBodyBytes: 2048, keepAlive: -1 });
    expect((await read()).config).toMatchObject({ drainTimeout: 1500, maxBodyBytes: 2048, keepAlive: -1 });
  });

  it("takes an empty variable for an absent one", async () => {
    const { config, origins } = await read({ env: { HF_SERVER_PORT: "", HF_SERVER_API_KEYS: " " } });
    expect(config).toMatchObject({ port: 8000, apiKeys: [] });
    expect(origins.port).toBe("default");
  });

  it("finds a file's key file beside the file, and a flag's in the working directory", async () => {
    await inFolder("named.json", JSON.stringify({ keyFile: "keys.json" }));
    const elsewhere = await read({ cwd: os.tmpdir(), file: path.join(cwd, "named.json") });
    expect(elsewhere.config.keyFile).toBe(path.join(cwd, "keys.json"));
    expect((await read({ flags: { keyFile: "own.json" } })).config.keyFile).toBe(path.join(cwd, "own.json"));
    const home = (await read({ flags: { keyFile: "~/keys.json" } })).config.keyFile;
    expect(home).toBe(path.join(os.homedir(), "keys.json"));
  });

  it("has its key file in the Hugging Face folder", async () => {
    const { config } = await readServerConfig({ cwd });
    expect(config.keyFile).toBe(path.join(readConfig().hfHome, "hfms-keys.json"));
  });
});

describe("a config file", () => {
  it("may be TypeScript, and has a type there", async () => {
    const library = path.resolve("src/server/config/config-file.js");
    await inFolder(
      "hfms.config.ts",
      `import type { ConfigFile } from ${JSON.stringify(library)};\nexport default { port: 9000, drainTimeout: "5s" } satisfies ConfigFile;\n`,
    );
    const { config, origins } = await read();
    expect(config).toMatchObject({ port: 9000, drainTimeout: 5000 });
    expect(origins.port).toBe(path.join(cwd, "hfms.config.ts"));
  });

  it("is named by --config or HF_SERVER_CONFIG instead of lying in the folder", async () => {
    await jsonFile({ port: 1 });
    await inFolder("other.json", '{ "port": 2 }');
    await inFolder("third.mjs", "export default { port: 3 };");
    expect((await read({ env: { HF_SERVER_CONFIG: "other.json" } })).config.port).toBe(2);
    const both = await read({ env: { HF_SERVER_CONFIG: "other.json" }, file: "third.mjs" });
    expect(both.config.port).toBe(3);
  });

  it.each([
    ["no JSON", "hfms.config.json", "{ port: 1 }", /can't be read/],
    ["a list", "hfms.config.json", "[]", /holds no settings/],
    ["without an export", "hfms.config.ts", "export const port = 1;", /holds no settings/],
    ["a program that fails", "hfms.config.ts", "throw new Error('no luck');", /can't be read/],
    ["of another kind", "config.yaml", "port: 1", /is no config file/],
  ])("that is %s stops the start", async (_, name, text, message) => {
    await inFolder(name, text);
    const error = { code: "invalid_config", message: expect.stringMatching(message) };
    await expect(read({ file: name })).rejects.toMatchObject(error);
  });

  it("must be there when it is named, and alone when it is not", async () => {
    const missing = { code: "invalid_config", message: expect.stringContaining("there is no file") };
    await expect(read({ file: "none.json" })).rejects.toMatchObject(missing);
    await jsonFile({});
    await inFolder("hfms.config.ts", "export default {};");
    const two = { code: "invalid_config", message: expect.stringContaining("hfms.config.json and") };
    await expect(read()).rejects.toMatchObject(two);
  });

  it("may say nothing about a setting, and where its schema lies", async () => {
    await inFolder("c.mjs", "export default { port: undefined, $schema: './schema.json' };");
    expect((await read({ file: "c.mjs" })).config.port).toBe(8000);
  });
});

describe("a wrong value", () => {
  const wrong: [name: (typeof settingNames)[number], value: string, allowed: RegExp][] = [
    ["host", "bad host", /an address like/],
    ["port", "65536", /0 to 65535/],
    ["port", "8e3", /whole number/],
    ["insecure", "perhaps", /true or false/],
    ["apiKeys", "short", /keys of 8 to 512/],
    ["corsOrigins", "https://a.example/path", /origins like/],
    ["corsOrigins", "a.example", /origins like/],
    ["allowedHosts", "a.example:80", /without ports/],
    ["modelAccess", "all", /any, local, listed/],
    ["dtype", "fp16", /auto, fp32, int8, int4/],
    ["device", "gpu", /auto, cpu, cuda/],
    ["keepAlive", "5", /with its unit.*forever/],
    ["drainTimeout", "forever", /up to 1d/],
    ["headersTimeout", "0", /from 100ms to 1d/],
    ["maxBodyBytes", "10M", /10MB or 512KiB/],
    ["maxItems", "0", /from 1 to/],
    ["logLevel", "loud", /silent, error/],
  ];

  it.each(wrong)("of %s, like %j, stops the start wherever it comes from", async (name, value, allowed) => {
    const variable = environmentName(name);
    const flag = `--${settings[name].flag}`;
    for (const [origin, sources] of [
      [variable, { env: { [variable]: value } }],
      [flag, { flags: { [name]: settings[name].kind === "list" ? [value] : value } }],
      [path.join(cwd, "a.json"), { file: "a.json" }],
    ] as [string, Partial<ConfigSources>][]) {
      await inFolder("a.json", JSON.stringify({ [name]: value }));
      const error = await read(sources).catch((thrown) => thrown);
      expect(error).toMatchObject({
        code: "invalid_config",
        hint: expect.stringMatching(allowed),
        param: name,
      });
      expect(error.message.startsWith(`${name} can't be `), error.message).toBe(true);
      expect(error.message.endsWith(` (from ${origin})`), error.message).toBe(true);
    }
  });

  it("of a key is not repeated", async () => {
    const error = await read({ env: { HF_SERVER_API_KEYS: "my secret key" } }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: "invalid_config", param: "apiKeys" });
    expect(`${error.message} ${error.hint}`).not.toContain("secret");
  });

  it("of a preset names those that there are", async () => {
    await expect(read({ env: { HF_SERVER_PRESET: "prod" } })).rejects.toMatchObject({
      message: 'preset can\'t be "prod" (from HF_SERVER_PRESET)',
      hint: expect.stringContaining("production"),
    });
  });

  it("is also a server that could serve no model", async () => {
    await expect(read({ flags: { modelAccess: "listed" } })).rejects.toMatchObject({ param: "models" });
    expect((await read({ flags: { modelAccess: "listed", models: ["gpt2"] } })).config.models).toEqual([
      "gpt2",
    ]);
  });

  it("never gets through and never throws anything else, whatever is written", async () => {
    const name = fc.constantFrom(...settingNames);
    await fc.assert(
      fc.asyncProperty(name, fc.oneof(fc.string(), fc.jsonValue()), async (setting, value) => {
        await jsonFile({ [setting]: value });
        const { config } = await read().catch((error) => {
          expect(error.code).toBe("invalid_config");
          return { config: undefined };
        });
        if (config) expect(() => serverConfigSchema.parse(config)).not.toThrow();
      }),
      { numRuns: 200 },
    );
  });
});

describe("an unknown name", () => {
  it("in the environment is an error with the nearest one", async () => {
    await expect(read({ env: { HF_SERVER_DRAIN_TIMEOT: "1s" } })).rejects.toMatchObject({
      code: "invalid_config",
      hint: expect.stringContaining("did you mean HF_SERVER_DRAIN_TIMEOUT?"),
    });
  });

  it("in a file is an error with the nearest one", async () => {
    await jsonFile({ corsOrigin: "*" });
    await expect(read()).rejects.toMatchObject({
      code: "invalid_config",
      message: expect.stringContaining("corsOrigin"),
      hint: expect.stringContaining("did you mean corsOrigins?"),
    });
    await jsonFile({ xyz: 1 });
    await expect(read()).rejects.toMatchObject({ hint: expect.not.stringContaining("did you mean") });
  });
});

describe("the settings", () => {
  it("have flags and variables of their own", () => {
    for (const names of [
      settingNames.map((name) => settings[name].flag),
      settingNames.map(environmentName),
    ]) {
      expect(new Set<string>(names).size).toBe(settingNames.length);
    }
    expect(environmentName("maxBodyBytes")).toBe("HF_SERVER_MAX_BODY_BYTES");
  });

  it.each(presetNames)("are all valid in the preset %s", (preset) => {
    const config = { ...presetConfig(preset), keyFile: "keys.json" };
    expect(serverConfigSchema.parse(config)).toEqual(config);
  });

  it("are described with their values and origins, and secrets only by their number", async () => {
    const described = describeConfig(
      await read({
        env: { HF_SERVER_API_KEYS: "first-secret,second-secret" },
        flags: { keepAlive: "forever" },
      }),
    );
    expect(described.map(({ name }) => name)).toEqual(settingNames);
    expect(described.find(({ name }) => name === "apiKeys")).toEqual({
      name: "apiKeys",
      shown: "2 keys",
      origin: "HF_SERVER_API_KEYS",
      flag: "--api-key",
      env: "HF_SERVER_API_KEYS",
    });
    expect(described.find(({ name }) => name === "keepAlive")).toMatchObject({ shown: "forever", value: -1 });
    expect(JSON.stringify(described)).not.toContain("secret");
  });
});
