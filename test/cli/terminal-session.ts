import { spawn, spawnSync } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { type Outcome, outcome, program, testEnvironment } from "./hfms.js";

/** util-linux's `script` gives a program a terminal; macOS's has other flags. */
export const hasTerminal = process.platform === "linux" && spawnSync("script", ["--version"]).status === 0;

export interface TerminalSession extends AsyncDisposable {
  /** Waits until the terminal shows something that it had not shown at the last call. */
  until(pattern: RegExp): Promise<void>;
  type(keys: string): Promise<void>;
  ended: Promise<Outcome>;
}

/** The program in a terminal of 100 columns. */
export function openTerminal(
  home: string,
  args: string[],
  env: Record<string, string> = {},
): TerminalSession {
  const words = [process.execPath, program, ...args].map((word) => `'${word}'`).join(" ");
  const child = spawn("script", ["-qec", `stty cols 100; exec ${words}`, "/dev/null"], {
    env: testEnvironment(home, { TERM: "xterm", ...env }),
  });
  const ended = outcome(child);
  let shown = "";
  let seen = 0;
  child.stdout.on("data", (text) => {
    shown += text;
  });
  const fresh = () => stripVTControlCharacters(shown).slice(seen);
  return {
    ended,
    async until(pattern) {
      for (let i = 0; i < 400; i++) {
        const match = pattern.exec(fresh());
        if (match) {
          seen += match.index + match[0].length;
          return;
        }
        await delay(50);
      }
      throw new Error(`the terminal never showed ${pattern}, but ${JSON.stringify(fresh())}`);
    },
    async type(keys) {
      // inquirer throws away what is typed before it shows its prompt.
      await delay(150);
      child.stdin.write(keys);
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
