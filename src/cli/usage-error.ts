import type { Config } from "@oclif/core/config";
import type { ErrorReport } from "./error-report.js";
import { nearest } from "./nearest.js";

/** Puts what oclif's parser throws into hfms's words, with the nearest thing that exists. Undefined for other errors. */
export function reportUsageError(
  error: unknown,
  { argv, config }: { argv: string[]; config?: Config },
): ErrorReport | undefined {
  const thrown = error as ParserError;
  if (thrown?.oclif === undefined || !(error instanceof Error)) return undefined;
  const message = error.message.replace(/\n?See more help with --help$/, "");
  const command = config?.findCommand(argv.slice(0, 2).join(":")) ?? config?.findCommand(argv[0] ?? "");
  const help = `\`hfms ${command ? `${command.id.replaceAll(":", " ")} ` : ""}--help\` shows what there is`;

  const unknownCommand = /^command (.+) not found\.?$/i.exec(message)?.[1];
  if (unknownCommand) {
    const [name, ...words] = unknownCommand.split(":");
    const commands = (config?.commandIDs ?? []).map((id) => id.replaceAll(":", " "));
    if (config?.findTopic(name) && !config.findCommand(name)) {
      const typed = `${name} ${words[0] ?? ""}`.trim();
      return usage(
        `unknown command "${typed}"`,
        guess(typed, commands, "hfms "),
        `\`hfms ${name} --help\` shows what there is`,
      );
    }
    // oclif takes what follows a command without arguments for a part of the command's name.
    if (config?.findCommand(name)) return usage(surplus(words), undefined, help);
    return usage(`unknown command "${name}"`, guess(name, commands, "hfms "), help);
  }
  if (thrown.flags) {
    const typed = thrown.flags[0];
    if (/\s/.test(typed)) {
      return usage(`the text "${typed}" starts with a dash, like a flag`, "put `--` before it", help);
    }
    const flags = Object.keys(command?.flags ?? {});
    return usage(`unknown flag ${typed}`, guess(typed.replace(/^-+/, ""), flags, "--"), help);
  }
  const invalid = /^Expected --(\S+?)=([\s\S]*) to be one of: (.*)$/.exec(message);
  if (invalid) {
    const [, flag, value, options] = invalid;
    const meant = nearest(value, options.split(", "));
    return {
      ...usage(`--${flag} can't be "${value}"`, meant && `did you mean ${meant}?`, `it is one of ${options}`),
      param: flag,
    };
  }
  const valueless = /^Flag --(\S+) expects (?:a value|one of these values: (.*))$/.exec(message);
  if (valueless) {
    const [, flag, options] = valueless;
    return {
      ...usage(`--${flag} needs a value`, options && `it is one of ${options}`, options ? undefined : help),
      param: flag,
    };
  }
  const twice = /^Flag --(\S+) can only be specified once$/.exec(message)?.[1];
  if (twice) return { ...usage(`--${twice} is given twice`, undefined, help), param: twice };
  if (/^Missing \d+ required arg/.test(message)) {
    const names = (thrown.args as { name: string }[]).map(({ name }) => name.toUpperCase());
    return usage(`${names.join(" and ")} is missing`, undefined, help);
  }
  if (/^Unexpected argument/.test(message)) {
    return usage(surplus(thrown.args as string[]), undefined, help);
  }
  const exclusive = /--(\S+?)=.* cannot also be provided when using (--\S+)$/.exec(message);
  if (exclusive) {
    const [, flag, other] = exclusive;
    return { ...usage(`--${flag} and ${other} don't go together`, undefined, help), param: flag };
  }
  const reasons = message.replace(/^The following errors? occurred:\s*/, "").replace(/\s*\n\s*/g, "; ");
  return usage(reasons, undefined, help);
}

/** The fields that oclif's parser errors carry, by kind: unknown flags, missing or surplus arguments. */
interface ParserError extends Error {
  oclif?: { exit?: number };
  flags?: string[];
  args?: unknown[];
}

function usage(message: string, guessed: string | undefined, help: string | undefined): ErrorReport {
  return {
    code: "invalid_request",
    message,
    hint: [guessed, help].filter(Boolean).join("; ").replace("?; ", "? "),
  };
}

function surplus(words: string[]): string {
  return `too many arguments: ${words.map((word) => `"${word}"`).join(", ")}`;
}

function guess(typed: string, candidates: readonly string[], prefix: string): string | undefined {
  const meant = nearest(typed, candidates);
  return meant && `did you mean \`${prefix}${meant}\`?`;
}
