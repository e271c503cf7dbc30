import type { Command } from "@oclif/core/command";
import { CommandHelp } from "@oclif/core/help";
import { wrapWords } from "./facts.js";
import { section } from "./section.js";
import { styled } from "./style.js";

const WIDEST_LABEL = 28;

/** The help of one command: what it does, examples, then its flags by what they are for. */
export class HfmsCommandHelp extends CommandHelp {
  override generate(): string {
    const { command } = this;
    const args = Object.values(command.args).filter(({ hidden }) => !hidden);
    const flags = Object.values(command.flags).filter(({ hidden }) => !hidden);
    const groups = Map.groupBy(flags, ({ helpGroup }) => helpGroup ?? "");
    const titles = [...groups.keys()].sort((a, b) => rank(a) - rank(b));
    return [
      section("USAGE", [
        `  ${styled("dim", "$", process.stdout)} ${this.config.bin} ${usage(command, args)}`,
      ]),
      this.#paragraphs(command),
      section(
        "ARGUMENTS",
        args.flatMap((arg) => this.#entry(label(arg, command), arg.description ?? "")),
      ),
      this.#examples(command),
      ...titles.map((title) =>
        section(
          title === "" ? "FLAGS" : `${title} FLAGS`,
          groups.get(title)!.flatMap((flag) => this.#entry(flagLabel(flag), flagText(flag))),
        ),
      ),
    ]
      .filter(Boolean)
      .join("\n\n");
  }

  #paragraphs({ summary, description = "" }: Command.Loadable): string {
    // Without a summary, oclif has already printed the first line as one.
    const text = summary ? description : description.split("\n").slice(1).join("\n");
    return this.render(text.trim())
      .split("\n\n")
      .map((paragraph) => wrapWords(paragraph.replaceAll("\n", " "), this.opts.maxWidth - 1).join("\n"))
      .join("\n\n");
  }

  #examples({ examples }: Command.Loadable): string {
    const commands = (examples ?? []).map((example) =>
      typeof example === "string" ? example : example.command,
    );
    const dollar = styled("dim", "$", process.stdout);
    return section(
      "EXAMPLES",
      commands.map((command) => `  ${dollar} ${this.render(command).replace(/^\$ /, "")}`),
    );
  }

  /** Two columns; a long label gets a line of its own. */
  #entry(label: string, text: string): string[] {
    const left = Math.min(WIDEST_LABEL, Math.floor(this.opts.maxWidth / 2)) + 4;
    const lines = wrapWords(this.render(text), Math.max(20, this.opts.maxWidth - left - 1));
    const indented = (line: string) => " ".repeat(left) + line;
    const shown = styled("cyan", label, process.stdout);
    if (label.length + 4 > left) return [`  ${shown}`, ...lines.map(indented)];
    return [`  ${shown}${" ".repeat(left - 2 - label.length)}${lines[0]}`, ...lines.slice(1).map(indented)];
  }
}

/** From what most people need to what every command has; groups that are not listed come before the model's. */
const order = ["", "ANSWER", "FORMAT", "TOOL", "SAMPLING", "SPEED", "MODEL", "GLOBAL"];

function rank(group: string): number {
  const place = order.indexOf(group);
  return place < 0 ? order.indexOf("MODEL") - 0.5 : place;
}

function usage({ id, usage }: Command.Loadable, args: Command.Arg.Any[]): string {
  if (typeof usage === "string") return usage;
  const words = args.map((arg) => (arg.required ? label(arg) : `[${label(arg)}]`));
  return [id.replaceAll(":", " "), ...words, "[FLAGS]"].join(" ");
}

function label({ name, multiple }: Command.Arg.Any, command?: Command.Loadable): string {
  const many = multiple || (command?.strict === false && name === Object.keys(command.args).at(-1));
  return `${name.toUpperCase()}${many ? "..." : ""}`;
}

function flagLabel(flag: Command.Flag.Any): string {
  const name = flag.type === "boolean" && flag.allowNo ? `[no-]${flag.name}` : flag.name;
  const value = flag.type === "option" ? ` ${flag.helpValue ?? "<value>"}` : "";
  return `${flag.char ? `-${flag.char}, ` : "    "}--${name}${value}`;
}

function flagText(flag: Command.Flag.Any): string {
  const text = flag.summary ?? flag.description ?? "";
  if (flag.type !== "option") return text;
  const options = flag.options ? ` (${flag.options.join(", ")})` : "";
  const preset = flag.default === undefined ? "" : `; default ${flag.default}`;
  return `${text}${options}${preset}`;
}
