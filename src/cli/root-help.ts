import { readFile } from "node:fs/promises";
import path from "node:path";
import { section } from "./section.js";
import { styled } from "./style.js";

/** The order in which somebody meets the commands. Commands that are listed nowhere come last. */
const groups: [title: string, commands: string[]][] = [
  ["USE A MODEL", ["run", "chat", "embed", "rank"]],
  ["MODELS ON THIS MACHINE", ["pull", "list", "info", "rm"]],
  ["SERVE MODELS", ["serve", "keys"]],
  ["FIND OUT", ["discover", "hardware"]],
];

const firstSteps = [
  'hfms run smollm2 "What is the capital of France?"',
  "hfms chat",
  "printf 'a cat\\na dog\\n' | hfms embed",
];

/** Commands of oclif's plugins, in our words. */
const pluginCommands = {
  autocomplete: "set up tab completion for your shell",
  help: "show help for a command",
};

/**
 * The first page of the help: examples first, then the commands by what they are for. It is made from the manifest
 * alone, without oclif, so it is there at once.
 */
export async function rootHelp(root: string): Promise<string> {
  const read = async (file: string) => JSON.parse(await readFile(path.join(root, file), "utf8"));
  const { version, description, oclif } = await read("package.json");
  const { commands } = (await read("oclif.manifest.json")) as Manifest;
  const summaries = new Map<string, string>(Object.entries(pluginCommands));
  for (const { id, hidden, summary } of Object.values(commands)) {
    if (!hidden && !id.includes(":")) summaries.set(id, summary ?? "");
  }
  for (const [topic, { description }] of Object.entries<{ description: string }>(oclif.topics)) {
    summaries.set(topic, description);
  }
  const width = Math.max(...[...summaries.keys()].map((id) => id.length)) + 2;
  const line = (id: string) => `  ${styled("cyan", id.padEnd(width), process.stdout)}${summaries.get(id)}`;
  const listed = new Set(groups.flatMap(([, ids]) => ids));
  const more = [...summaries.keys()].filter((id) => !listed.has(id)).sort();
  return [
    `hfms ${version}: ${description}`,
    section(
      "TRY",
      firstSteps.map((step) => `  ${styled("dim", "$", process.stdout)} ${step}`),
    ),
    ...[...groups, ["MORE", more] as const].map(([title, ids]) =>
      section(title, ids.filter((id) => summaries.has(id)).map(line)),
    ),
    "`hfms <command> --help` explains a command and its flags. All of them take --json.",
  ].join("\n\n");
}

interface Manifest {
  commands: Record<string, { id: string; summary?: string; hidden?: boolean }>;
}
