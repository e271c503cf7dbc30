import type { Config } from "@oclif/core/config";
import { type ErrorCode, errorTable, HfmsError, readConfig } from "../core/index.js";
import { toJson } from "./json.js";
import { styled } from "./style.js";
import { reportUsageError } from "./usage-error.js";

/** What a user is told about a failure, whatever threw it. */
export interface ErrorReport {
  code: ErrorCode;
  message: string;
  hint?: string;
  param?: string;
}

/** Ctrl-C or SIGTERM ended the command. 130 and 143 are what shells expect of a program that such a signal ends. */
export class Interrupted extends Error {
  readonly signal: NodeJS.Signals;
  readonly hint?: string;

  constructor(signal: NodeJS.Signals, { hint, cause }: { hint?: string; cause?: unknown } = {}) {
    super("stopped", { cause });
    this.signal = signal;
    this.hint = hint;
  }

  get exitCode(): number {
    return this.signal === "SIGTERM" ? 143 : errorTable.aborted.exit;
  }
}

/**
 * Says on stderr what went wrong and what to do about it; with --json, stdout also gets one document
 * {"error":{"code","message","hint","param"}}. Returns the exit code.
 */
export function printError(error: unknown, context: { argv: string[]; config?: Config }): number {
  const exit = exitRequest(error);
  if (exit !== undefined) return exit;
  const report = reportError(error, context);
  process.stderr.write(renderError(report));
  if (report.code === "internal_error" && wantsStack(context.argv)) {
    process.stderr.write(`${(error as Error)?.stack ?? String(error)}\n`);
  }
  if (wantsJson(context.argv)) process.stdout.write(`${toJson({ error: report })}\n`);
  return error instanceof Interrupted ? error.exitCode : errorTable[report.code].exit;
}

/** Says that standard output can't be written; there is no use in writing JSON to it. Returns the exit code. */
export function printOutputError(error: NodeJS.ErrnoException): number {
  const full = error.code === "ENOSPC" || error.code === "EDQUOT";
  const code = full ? "disk_full" : "file_error";
  const reason = full ? "no space left on the disk" : error.message;
  process.stderr.write(renderError({ code, message: `standard output can't be written: ${reason}` }));
  return errorTable[code].exit;
}

export function reportError(error: unknown, context: { argv: string[]; config?: Config }): ErrorReport {
  if (error instanceof Interrupted) {
    return { code: "aborted", message: "stopped", hint: error.hint };
  }
  // Ctrl-C at one of inquirer's questions.
  if ((error as Error | undefined)?.name === "ExitPromptError")
    return { code: "aborted", message: "stopped" };
  if (error instanceof HfmsError) {
    return { code: error.code, message: unwrapped(error.message), hint: error.hint, param: error.param };
  }
  const usage = reportUsageError(error, context);
  if (usage) return usage;
  return {
    code: "internal_error",
    message: `something went wrong that hfms did not expect: ${(error as Error)?.message || String(error)}`,
    hint: wantsStack(context.argv)
      ? "please report it with the lines below"
      : "run the command again with --debug to see where, and please report it",
  };
}

export function renderError({ code, message, hint }: ErrorReport): string {
  const label = code === "aborted" ? styled("yellow", message, process.stderr) : undefined;
  const first = label ?? `${styled(["red", "bold"], "error:", process.stderr)} ${message}`;
  return hint ? `${first}\n${styled("cyan", "hint:", process.stderr)} ${hint}\n` : `${first}\n`;
}

/** oclif ends a command that is done early (`--help` inside a flag, `this.exit()`) with an error that only has a code. */
function exitRequest(error: unknown): number | undefined {
  const { code, oclif } = error as { code?: string; oclif?: { exit?: number } };
  return code === "EEXIT" ? (oclif?.exit ?? 0) : undefined;
}

/** oclif puts its own words around what a flag's parser threw. */
function unwrapped(message: string): string {
  return /^Parsing --\S+ \n\t([\s\S]*)\nSee more help with --help$/.exec(message)?.[1] ?? message;
}

function wantsJson(argv: string[]): boolean {
  return beforeDashes(argv).includes("--json");
}

function wantsStack(argv: string[]): boolean {
  return beforeDashes(argv).includes("--debug") || readConfig().debug === true;
}

function beforeDashes(argv: string[]): string[] {
  const dashes = argv.indexOf("--");
  return dashes < 0 ? argv : argv.slice(0, dashes);
}
