import os from "node:os";
import path from "node:path";
import { HfmsError, readConfig } from "../../core/index.js";
import { allowedValues, shownValue } from "./allowed-values.js";
import { type ReadFile, readConfigFile } from "./config-file.js";
import { type PresetName, presetConfig, presetNames, presets } from "./presets.js";
import { type ServerConfig, serverConfigSchema } from "./schema.js";
import { environmentName, type Setting, type SettingName, settingNames, settings } from "./settings.js";
import { unknownName } from "./unknown-name.js";

/** A configuration and where it came from. */
export interface ReadServerConfig {
  config: ServerConfig;
  /** Of each value: "default", "preset production", a file, HF_SERVER_PORT, --port. */
  origins: Record<SettingName, string>;
  preset: PresetName;
  /** The config file, where there is one. */
  file?: string;
}

export interface ConfigSources {
  /** Values of the command line, by setting; text as it was typed. */
  flags?: { [name in SettingName | "preset"]?: unknown };
  /** The config file, instead of the one in `cwd`. */
  file?: string;
  cwd: string;
  /** HF_SERVER_… variables. */
  env?: Record<string, string>;
  /** Where the key file lies unless it is named. */
  hfHome?: string;
}

/**
 * Puts the configuration together: defaults, then the preset, the config file, the environment, and the flags; a later
 * one wins. Throws invalid_config for what is unknown and for values that can't be, with the setting's name, where the
 * value came from and what is allowed.
 */
export async function readServerConfig({
  flags = {},
  file: named,
  cwd,
  env = {},
  hfHome = readConfig().hfHome,
}: ConfigSources): Promise<ReadServerConfig> {
  const variables = environmentValues(env);
  const file = await readConfigFile(cwd, named ?? variables.get("config")?.value);
  const sources = [file && fileValues(file), variables, flagValues(flags)].filter(
    (source) => source !== undefined,
  );
  const preset = chosenPreset(sources);
  const config: Record<string, unknown> = {
    ...presetConfig(preset),
    keyFile: path.join(hfHome, "hfms-keys.json"),
  };
  const origins = Object.fromEntries(
    settingNames.map((name) => [name, name in presets[preset] ? `preset ${preset}` : "default"]),
  ) as Record<SettingName, string>;
  for (const source of sources) {
    for (const name of settingNames) {
      const given = source.get(name);
      if (!given) continue;
      const value = checked(name, given);
      // A file's paths are its neighbours'.
      const folder = file && given.origin === file.file ? path.dirname(file.file) : cwd;
      config[name] = settings[name].kind === "file" ? resolved(folder, String(value)) : value;
      origins[name] = given.origin;
    }
  }
  const whole = config as unknown as ServerConfig;
  if (whole.modelAccess === "listed" && whole.models.length === 0) {
    throw new HfmsError(
      "invalid_config",
      `modelAccess is listed (from ${origins.modelAccess}), but no model is`,
      {
        hint: "name the models, as in `hfms serve smollm2`",
        param: "models",
      },
    );
  }
  return { config: whole, origins, preset, file: file?.file };
}

interface Given {
  value: unknown;
  origin: string;
}

function fileValues({ file, values }: ReadFile): Map<string, Given> {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return new Map(given.map(([name, value]) => [name, { value, origin: file }]));
}

/** Empty variables count as absent: that is how compose files pass on what is not set. */
function environmentValues(env: Record<string, string>): Map<string, Given & { value: string }> {
  const fields = new Map(["config", "preset", ...settingNames].map((name) => [environmentName(name), name]));
  const values = new Map<string, Given & { value: string }>();
  for (const [variable, value] of Object.entries(env)) {
    const name = fields.get(variable);
    if (name === undefined) throw unknownName(variable, [...fields.keys()], "the environment");
    if (value.trim() !== "") values.set(name, { value, origin: variable });
  }
  return values;
}

function flagValues(flags: NonNullable<ConfigSources["flags"]>): Map<string, Given> {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  return new Map(
    given.map(([name, value]) => {
      const flag =
        name === "models"
          ? "arguments"
          : `--${name === "preset" ? name : settings[name as SettingName].flag}`;
      return [name, { value, origin: flag }];
    }),
  );
}

function chosenPreset(sources: Map<string, Given>[]): PresetName {
  const given = sources.findLast((source) => source.get("preset")?.value !== undefined)?.get("preset");
  if (!given) return "development";
  const preset = presetNames.find((name) => name === given.value);
  if (preset === undefined) throw wrong("preset", given, `it is one of ${presetNames.join(", ")}`);
  return preset;
}

function checked(name: SettingName, given: Given): unknown {
  const { success, data } = serverConfigSchema.shape[name].safeParse(given.value);
  if (!success) throw wrong(name, given, `it is ${allowedValues(settings[name])}`);
  return data;
}

function wrong(name: SettingName | "preset", { value, origin }: Given, hint: string): HfmsError {
  const setting: Setting | undefined = name === "preset" ? undefined : settings[name];
  // An error message ends in logs.
  const shown =
    setting?.kind === "list" && setting.secret
      ? "what it is"
      : (JSON.stringify(value) ?? String(value)).slice(0, 200);
  return new HfmsError("invalid_config", `${name} can't be ${shown} (from ${origin})`, { hint, param: name });
}

function resolved(folder: string, file: string): string {
  return path.resolve(folder, file.replace(/^~(?=$|\/)/, os.homedir()));
}

/** One line of `--print-config`. */
export interface DescribedSetting {
  name: SettingName;
  /** As people write it; of secrets only how many there are. */
  shown: string;
  /** Absent for secrets. */
  value?: ServerConfig[SettingName];
  origin: string;
  /** Absent where it is the arguments. */
  flag?: string;
  env: string;
}

/** Every setting with its value and origin; secrets are left out. */
export function describeConfig({
  config,
  origins,
}: Pick<ReadServerConfig, "config" | "origins">): DescribedSetting[] {
  return settingNames.map((name) => {
    const setting: Setting = settings[name];
    return {
      name,
      shown: shownValue(name, config[name]),
      ...(!(setting.kind === "list" && setting.secret) && { value: config[name] }),
      origin: origins[name],
      ...(name !== "models" && { flag: `--${setting.flag}` }),
      env: environmentName(name),
    };
  });
}
