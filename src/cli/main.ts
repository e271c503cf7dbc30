import { fileURLToPath } from "node:url";
import type { Config } from "@oclif/core/config";

/** What asks for the first page of the help, which needs none of the rest. */
const rootHelpWords = new Set(["--help", "-h", "help"]);

/**
 * The program: finds the command, runs it, says what went wrong, and ends the process with the exit code of the error
 * table. `root` is the folder that holds package.json. bin/dev.js gives its own `pjson`, and commands that no manifest describes.
 */
export async function main({
  root,
  ...options
}: {
  root: URL;
  pjson?: object;
  ignoreManifest?: boolean;
}): Promise<never> {
  const argv = process.argv.slice(2);
  let config: Config | undefined;
  const output = watchOutput();
  const fail = async (error: unknown) => {
    if (output.error) return leave(1, output);
    const { printError } = await import("./error-report.js");
    return leave(printError(error, { argv, config }), output);
  };
  process.on("uncaughtException", fail);
  try {
    if (argv.length === 0 || (argv.length === 1 && rootHelpWords.has(argv[0]))) {
      const { rootHelp } = await import("./root-help.js");
      process.stdout.write(`${await rootHelp(fileURLToPath(root))}\n`);
      return await leave(0, output);
    }
    const { settings } = await import("@oclif/core/settings");
    // Without this, oclif looks for TypeScript sources whenever NODE_ENV is "test" or "development".
    settings.enableAutoTranspile = false;
    const oclif = await import("@oclif/core/config");
    config = await oclif.Config.load({ root: fileURLToPath(root), ...options } as never);
    const { run } = await import("@oclif/core/run");
    await run(argv, config);
    return await leave(Number(process.exitCode ?? 0), output);
  } catch (error) {
    return fail(error);
  }
}

/**
 * Watches for the end of the output. `hfms list | head -1` closes it early: that is not an error, and nobody is left to
 * read more. Anything else, like a full disk under a redirected output, is kept for `leave`.
 */
function watchOutput(): { error?: NodeJS.ErrnoException } {
  const output: { error?: NodeJS.ErrnoException } = {};
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    output.error = error;
  });
  process.stderr.on("error", () => {});
  return output;
}

/**
 * Ends the process when everything is written. Sockets that are kept open for the next request and the runtime's
 * threads must not keep a finished command alive.
 */
async function leave(code: number, output: { error?: NodeJS.ErrnoException }): Promise<never> {
  await Promise.all([output.error ? undefined : flushed(process.stdout), flushed(process.stderr)]);
  if (output.error) {
    const { printOutputError } = await import("./error-report.js");
    process.exit(printOutputError(output.error));
  }
  process.exit(code);
}

/** Streams tell errors a turn later, so a stream that has just failed is waited for as well. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableEnded) setImmediate(resolve);
    else stream.write("", () => setImmediate(resolve));
  });
}
