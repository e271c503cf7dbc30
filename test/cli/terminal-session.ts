import { spawn, spawnSync } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { type Outcome, outcome, program, testEnvironment } from "./hfms.js";

/** util-linux's `script` gives a program a terminal; macOS's has other flags. */
export const hasTerminal = process.platform === "linux" && spawnSync("script", ["--version"]).status === 0;

export interface TerminalSession extends AsyncDisposable {
  /** Waits until the terminal shows something that it had not shown at the last call. */
  until(pattern: RegExp): Promise<void>;
  /** Types at a prompt. */
  type(keys: string): Promise<void>;
  /** Presses keys while the program is at work. */
  press(keys: string): void;
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
  let more = Promise.withResolvers<void>();
  child.stdout.on("data", (text) => {
    shown += text;
    more.resolve();
    more = Promise.withResolvers();
  });
  const fresh = () => stripVTControlCharacters(shown).slice(seen);
  return {
    ended,
    async until(pattern) {
      const timeout = delay(20_000, "timeout", { ref: false });
      do {
        const match = pattern.exec(fresh());
        if (match) {
          seen += match.index + match[0].length;
          return;
        }
      } while ((await Promise.race([more.promise, timeout])) !== "timeout");
      throw new Error(`the terminal never showed ${pattern}, but ${JSON.stringify(fresh())}`);
    },
    async type(keys) {
      // inquirer throws away what is typed before it shows its prompt.
      await delay(150);
      child.stdin.write(keys);
    },
    press: (keys) => void child.stdin.write(keys),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
