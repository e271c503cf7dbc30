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
  const fail = async (error: unknown) => {
    const { printError } = await import("./error-report.js");
    return leave(printError(error, { argv, config }));
  };
  endQuietlyWhenTheReaderLeaves();
  process.on("uncaughtException", fail);
  try {
    if (argv.length === 0 || (argv.length === 1 && rootHelpWords.has(argv[0]))) {
      const { rootHelp } = await import("./root-help.js");
      process.stdout.write(`${await rootHelp(fileURLToPath(root))}\n`);
      return await leave(0);
    }
    const { settings } = await import("@oclif/core/settings");
    // Without this, oclif looks for TypeScript sources whenever NODE_ENV is "test" or "development".
    settings.enableAutoTranspile = false;
    const oclif = await import("@oclif/core/config");
    config = await oclif.Config.load({ root: fileURLToPath(root), ...options } as never);
    const { run } = await import("@oclif/core/run");
    await run(argv, config);
    return await leave(Number(process.exitCode ?? 0));
  } catch (error) {
    return fail(error);
  }
}

/** `hfms list | head -1` closes our output early. That is not an error, and nobody is left to read more. */
function endQuietlyWhenTheReaderLeaves(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    process.exit(error.code === "EPIPE" ? 0 : 1);
  });
  process.stderr.on("error", () => {});
}

/**
 * Ends the process when everything is written. Sockets that are kept open for the next request and the runtime's
 * threads must not keep a finished command alive.
 */
async function leave(code: number): Promise<never> {
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  process.exit(code);
}

function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableEnded) resolve();
    else stream.write("", () => resolve());
  });
}
