import * as Flags from "@oclif/core/flags";
import type { BooleanFlag, OptionFlag } from "@oclif/core/interfaces";

/** What a flag needs to know of a server's setting: `settings` in src/server/config/settings.ts. */
interface FlaggedSetting {
  flag: string;
  char?: "p";
  group: string;
  kind: string;
  summary: string;
  helpValue?: string;
  options?: readonly string[];
  zero?: string;
  default: unknown;
}

type Settings = Record<string, FlaggedSetting>;

/** A list's flag is repeated, a switch has none or `--no-`, and everything else is a text that the server reads. */
type SettingFlag<S extends FlaggedSetting> = S["kind"] extends "switch"
  ? BooleanFlag<boolean | undefined>
  : S["kind"] extends "list"
    ? OptionFlag<string[] | undefined>
    : OptionFlag<string | undefined>;

type SettingFlags<T extends Settings> = { [name in keyof T as T[name]["flag"]]: SettingFlag<T[name]> };

/** A flag for each setting. None has a default: what is not typed leaves the say to the environment and the file. */
export function settingFlags<T extends Settings>(
  settings: T,
  show: (name: keyof T & string) => string,
): SettingFlags<T> {
  const flags = Object.entries(settings).map(([name, setting]) => {
    const { flag, char, group, kind, options, helpValue = kindValues[kind] } = setting;
    const common = { char, helpGroup: group, summary: summaryOf(setting, show(name)) };
    if (kind === "switch") return [flag, Flags.boolean({ ...common, allowNo: setting.default === true })];
    if (kind === "list")
      return [
        flag,
        Flags.string({ ...common, helpValue, multiple: true, delimiter: ",", multipleNonGreedy: true }),
      ];
    return [flag, Flags.string({ ...common, helpValue, options: options && [...options] })];
  });
  return Object.fromEntries(flags);
}

/** The values that were typed, by the settings' names. */
export function settingValues<T extends Settings>(
  settings: T,
  flags: Record<string, unknown>,
): { [name in keyof T]?: unknown } {
  const typed = Object.entries(settings).filter(([, { flag }]) => flags[flag] !== undefined);
  return Object.fromEntries(typed.map(([name, { flag }]) => [name, flags[flag]])) as {
    [name in keyof T]?: unknown;
  };
}

const kindValues: Record<string, string> = { count: "<number>", size: "<size>", duration: "<time>" };

function summaryOf({ summary, kind, zero, default: preset }: FlaggedSetting, shown: string): string {
  const nothing = preset === "" || (Array.isArray(preset) && preset.length === 0) || preset === false;
  return [
    kind === "list" ? `${summary}; may be repeated` : summary,
    zero && `0: ${zero}`,
    nothing || kind === "switch" ? undefined : `default ${shown}`,
  ]
    .filter(Boolean)
    .join("; ");
}
