import type { ServerConfig } from "./schema.js";
import { settingNames, settings } from "./settings.js";

export const presetNames = ["development", "production", "test"] as const;
export type PresetName = (typeof presetNames)[number];

/** What a preset changes of the defaults. `development` is the defaults: a server on one's own machine. */
export const presets: Record<PresetName, Partial<ServerConfig>> = {
  development: {},
  production: {
    // Callers must not be able to fill the disk with models of the Hub.
    modelAccess: "local",
    // What is in memory stays there until the memory is needed.
    keepAlive: -1,
    // Below the half minute after which Kubernetes kills.
    drainTimeout: 25_000,
    page: false,
    logFormat: "json",
  },
  test: {
    port: 0,
    // Nothing depends on how slow the machine is.
    keepAlive: -1,
    drainTimeout: 1000,
    logLevel: "error",
  },
};

/** The configuration that a preset alone makes. Without a key file: what reads the environment adds it. */
export function presetConfig(preset: PresetName): ServerConfig {
  const defaults = Object.fromEntries(settingNames.map((name) => [name, settings[name].default]));
  return { ...(structuredClone(defaults) as unknown as ServerConfig), ...presets[preset] };
}
