import { access, readFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { HfmsError } from "../../core/index.js";
import type { PresetName } from "./presets.js";
import type { ServerConfig } from "./schema.js";
import { settingNames, type settings } from "./settings.js";
import { unknownName } from "./unknown-name.js";

/** What a config file may say: any setting, durations also as "30s", sizes as "10MB"; and the preset it builds on. */
export type ConfigFile = { preset?: PresetName } & {
  [name in keyof ServerConfig]?:
    | ServerConfig[name]
    | ((typeof settings)[name]["kind"] extends "duration" | "size" ? string : never);
};

/** Gives a `hfms.config.ts` its type: `export default defineConfig({ port: 8080 })`. */
export function defineConfig(config: ConfigFile): ConfigFile {
  return config;
}

export interface ReadFile {
  /** Absolute. */
  file: string;
  values: Record<string, unknown>;
}

const names = ["hfms.config.json", "hfms.config.ts"];
const MAX_BYTES = 1_000_000;

/**
 * The config file of a folder, or the one that was named; undefined where there is none. Throws invalid_config for one
 * that can't be read or says something unknown.
 */
export async function readConfigFile(cwd: string, named?: string): Promise<ReadFile | undefined> {
  const file = named === undefined ? await fileIn(cwd) : path.resolve(cwd, named);
  if (file === undefined) return undefined;
  const values = /\.json$/i.test(file) ? await readJson(file) : await importModule(file);
  if (typeof values !== "object" || values === null || Array.isArray(values)) {
    throw new HfmsError("invalid_config", `${file} holds no settings`, {
      hint: file.endsWith(".json")
        ? 'it is an object: { "port": 8080 }'
        : "it ends with `export default defineConfig({ … })`",
    });
  }
  const known: string[] = ["preset", ...settingNames];
  for (const name of Object.keys(values)) {
    // Editors find a schema by this key.
    if (name !== "$schema" && !known.includes(name)) throw unknownName(name, known, file);
  }
  return { file, values: values as Record<string, unknown> };
}

async function fileIn(cwd: string): Promise<string | undefined> {
  const there: string[] = [];
  for (const name of names) {
    const file = path.join(cwd, name);
    const found = await access(file).then(
      () => true,
      () => false,
    );
    if (found) there.push(file);
  }
  if (there.length > 1) {
    throw new HfmsError("invalid_config", `there are ${names.join(" and ")} in ${cwd}`, {
      hint: "remove one, or name the other with --config",
    });
  }
  return there[0];
}

async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, "utf8").catch((error: Error) => {
    throw unreadable(file, error);
  });
  if (text.length > MAX_BYTES) throw unreadable(file, new Error(`it is longer than ${MAX_BYTES} bytes`));
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw unreadable(file, error as Error);
  }
}

/** A program of the operator's: it is run. */
async function importModule(file: string): Promise<unknown> {
  const typed = /\.[mc]?ts$/i.test(file);
  if (!typed && !/\.m?js$/i.test(file)) {
    throw new HfmsError("invalid_config", `${file} is no config file`, {
      hint: "its name ends with .json, .ts, .mts, .js or .mjs",
    });
  }
  if (typed && !process.features.typescript) {
    throw new HfmsError("invalid_config", `Node.js ${process.versions.node} can't read ${file}`, {
      hint: "TypeScript needs Node.js 22.18 or newer; a config file may also be hfms.config.json",
    });
  }
  try {
    const { default: values } = await import(pathToFileURL(file).href);
    return values;
  } catch (error) {
    throw unreadable(file, error as Error);
  }
}

function unreadable(file: string, error: Error): HfmsError {
  const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
  return new HfmsError("invalid_config", missing ? `there is no file ${file}` : `${file} can't be read`, {
    hint: missing ? "check the path" : error.message,
    cause: error,
  });
}
