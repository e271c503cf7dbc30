import { formatDuration, formatSize } from "./quantity.js";
import type { ServerConfig } from "./schema.js";
import { type ListItem, type Setting, type SettingName, settings } from "./settings.js";

/** What a setting may be, as a fragment of a sentence: "it is …". */
export function allowedValues(setting: Setting): string {
  switch (setting.kind) {
    case "switch":
      return "true or false";
    case "choice":
      return `one of ${setting.options.join(", ")}`;
    case "count":
      return `a whole number from ${setting.min} to ${setting.max}`;
    case "size":
      return `a size like 10MB or 512KiB, from ${formatSize(setting.min)} to ${formatSize(setting.max)}`;
    case "duration":
      return allowedDurations(setting);
    case "list":
      return listDescriptions[setting.item];
    case "host":
      return "an address like 127.0.0.1, ::1 or 0.0.0.0, or the name of a host";
    case "file":
      return "the path of a file";
  }
}

function allowedDurations({ min, max, ...setting }: Setting & { kind: "duration" }): string {
  const special = [
    "forever" in setting ? "forever" : undefined,
    "zero" in setting ? `0 (${setting.zero})` : undefined,
  ].filter((value) => value !== undefined);
  const least = min > 0 ? `from ${formatDuration(min)} to` : "up to";
  return `a duration with its unit, like 30s or 5m, ${least} ${formatDuration(max)}${special.map((value) => `, or ${value}`).join("")}`;
}

const listDescriptions: Record<ListItem, string> = {
  name: "names of models, with commas between them",
  host: "names of hosts without ports, with commas between them, or *",
  origin: "origins like https://app.example.com, with commas between them, or *",
  key: "keys of 8 to 512 letters, digits and signs without blanks and commas, with commas between them",
};

/** A value as people write it; of secrets only how many there are. */
export function shownValue(name: SettingName, value: ServerConfig[SettingName]): string {
  const setting: Setting = settings[name];
  if (Array.isArray(value)) {
    if (setting.kind === "list" && setting.secret)
      return `${value.length} ${value.length === 1 ? "key" : "keys"}`;
    return value.length === 0 ? "none" : value.join(", ");
  }
  if (typeof value !== "number") return typeof value === "boolean" ? (value ? "yes" : "no") : value;
  switch (setting.kind) {
    case "duration":
      return value === 0 && setting.zero ? `0 (${setting.zero})` : formatDuration(value);
    case "size":
      return formatSize(value);
    default:
      return String(value);
  }
}
