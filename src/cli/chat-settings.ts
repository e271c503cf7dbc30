import { type GenerateRequest, HfmsError } from "../core/index.js";
import { nearest } from "./nearest.js";
import { fieldOf, numberSettingNames, parseSetting } from "./number-settings.js";

const names = [...numberSettingNames, "thinking"] as const;
type Name = (typeof names)[number];

/** How a conversation's answers are made: what the flags said at its start, changed by `/set`. */
export class ChatSettings {
  request: Partial<GenerateRequest>;

  constructor(request: Partial<GenerateRequest>) {
    this.request = request;
  }

  /** `temperature 0.5` sets, `temperature` alone takes back. Returns what to tell the user. Throws invalid_request. */
  set(typed: string): string {
    const [word, ...rest] = typed.split(/\s+/);
    const name = nameOf(word);
    const value = rest.join(" ");
    this.request = { ...this.request, ...parsed(name, value) };
    return value === "" ? `${name} is the model's own choice again` : `${name} is ${this.#shown(name)}`;
  }

  /** Every setting that is not the model's own choice. */
  show(): string {
    const set = names.filter((name) => this.#shown(name) !== undefined);
    if (set.length === 0) return "everything is as the model's authors chose; /set <name> <value> changes it";
    const width = Math.max(...set.map((name) => name.length)) + 2;
    return set.map((name) => name.padEnd(width) + this.#shown(name)).join("\n");
  }

  #shown(name: Name): string | undefined {
    if (name !== "thinking") return this.request[fieldOf(name)]?.toString();
    const thinking = this.request.templateVariables?.enable_thinking;
    return thinking === undefined ? undefined : thinking ? "on" : "off";
  }
}

function nameOf(typed: string): Name {
  const name = typed.toLowerCase().replaceAll("_", "-").replace(/^-+/, "");
  const known = names.find((one) => one === name);
  if (known) return known;
  const meant = nearest(name, names);
  throw new HfmsError("invalid_request", `there is no setting "${typed}"`, {
    hint: `${meant ? `did you mean ${meant}? ` : ""}there are ${names.join(", ")}`,
  });
}

function parsed(name: Name, value: string): Partial<GenerateRequest> {
  if (name !== "thinking") return value === "" ? { [fieldOf(name)]: undefined } : parseSetting(name, value);
  if (value === "") return { templateVariables: undefined };
  if (value === "on" || value === "off") return { templateVariables: { enable_thinking: value === "on" } };
  throw new HfmsError("invalid_request", `thinking can't be "${value}"`, { hint: "it is on or off" });
}
