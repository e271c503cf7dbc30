import { HfmsError } from "../core/index.js";

/** Throws invalid_request where nobody is there to be asked. `what` is what would be asked about: "the removal". */
export function refuseUnattended(what: string): void {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new HfmsError("invalid_request", `nobody is there to confirm ${what}`, {
      hint: "add --yes",
      param: "yes",
    });
  }
}

/** Asks on the terminal; Enter alone means no. */
export async function confirmed(message: string, signal: AbortSignal): Promise<boolean> {
  const { confirm } = await import("@inquirer/prompts");
  return confirm({ message, default: false }, { signal, output: process.stderr });
}
