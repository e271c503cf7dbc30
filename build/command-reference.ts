/** Text of docs/commands.md: every command with its arguments, flags and examples, out of oclif.manifest.json. */
export function commandReference({ commands }: Manifest): string {
  const ids = Object.keys(commands).sort();
  return `${[
    "# Commands",
    "This file is made from the commands by `npm run manifest`. `hfms <command> --help` shows the same in the terminal.",
    ids.map((id) => `- [\`${words(id)}\`](#${id.replaceAll(":", "-")}): ${commands[id].summary}`).join("\n"),
    ...ids.map((id) => section(id, commands[id])),
    flagTable("## Flags of every command", flagsOf(commands[ids[0]], "GLOBAL")),
  ].join("\n\n")}\n`;
}

export interface Manifest {
  commands: Record<string, CommandEntry>;
}

interface CommandEntry {
  summary: string;
  description: string;
  usage?: string;
  strict: boolean;
  examples: string[];
  args: Record<string, { name: string; description: string; required?: boolean; multiple?: boolean }>;
  flags: Record<string, FlagEntry>;
}

interface FlagEntry {
  name: string;
  char?: string;
  summary: string;
  helpGroup?: string;
  helpValue?: string;
  options?: string[];
  default?: string;
  allowNo?: boolean;
  multiple?: boolean;
}

function section(id: string, command: CommandEntry): string {
  const args = Object.values(command.args);
  const placeholders = args.map(({ name, required, multiple }) => {
    const word = `${name.toUpperCase()}${multiple ? "..." : ""}`;
    return required ? word : `[${word}]`;
  });
  const usage = command.usage ?? [words(id), ...placeholders, "[FLAGS]"].join(" ");
  const own = Object.values(command.flags).filter(({ helpGroup }) => helpGroup !== "GLOBAL");
  return [
    `## ${words(id)}`,
    `${command.summary[0].toUpperCase()}${command.summary.slice(1)}.`,
    `\`\`\`\nhfms ${usage}\n\`\`\``,
    command.description.trim(),
    args.map(({ name, description }) => `- \`${name.toUpperCase()}\`: ${description}`).join("\n"),
    flagTable("", own),
    `\`\`\`\n${command.examples.map(rendered).join("\n")}\n\`\`\``,
  ]
    .filter(Boolean)
    .join("\n\n");
}

/** `keys:create` is typed as two words. */
function words(id: string): string {
  return id.replaceAll(":", " ");
}

function flagTable(title: string, flags: FlagEntry[]): string {
  if (flags.length === 0) return "";
  const rows = flags.map((flag) => {
    const name = `--${flag.allowNo ? "[no-]" : ""}${flag.name}${flag.helpValue ? ` ${flag.helpValue}` : ""}`;
    const options = flag.options ? ` (${flag.options.join(", ")})` : "";
    const preset = flag.default === undefined ? "" : `; default ${flag.default}`;
    return `| \`${flag.char ? `-${flag.char}, ` : ""}${name}\` | ${flag.summary}${options}${preset} |`;
  });
  return [title, `| flag | |\n|------|---|\n${rows.join("\n")}`].filter(Boolean).join("\n\n");
}

function flagsOf({ flags }: CommandEntry, group: string): FlagEntry[] {
  return Object.values(flags).filter(({ helpGroup }) => helpGroup === group);
}

function rendered(example: string): string {
  return example.replaceAll("<%= config.bin %>", "hfms");
}
