import { createPrompt, isDownKey, isEnterKey, isUpKey, useKeypress, useRef, useState } from "@inquirer/core";
import { styled } from "./style.js";

/**
 * A message of the user: a line, or the lines between two lines of three quotes. Undefined is the end: Ctrl-C or Ctrl-D
 * on an empty line. What is typed goes to the end of the history.
 */
export async function askMessage(history: string[], signal: AbortSignal): Promise<string | undefined> {
  const ask = async (more: boolean) => {
    const line = await askLine({ more, history }, signal);
    if (line && line !== history.at(-1)) history.push(line);
    return line;
  };
  const first = await ask(false);
  if (!first?.startsWith('"""')) return first;
  const lines = [first.slice(3)];
  for (;;) {
    const line = await ask(true);
    if (line === undefined) return "";
    if (line.endsWith('"""')) return [...lines, line.slice(0, -3)].join("\n").trim();
    lines.push(line);
  }
}

interface LineOptions {
  /** The line goes on with a block of text. */
  more: boolean;
  /** Earlier lines, the last one last; the arrow keys bring them back. */
  history: readonly string[];
}

async function askLine(options: LineOptions, signal: AbortSignal): Promise<string | undefined> {
  const end = new AbortController();
  let line = "";
  // readline closes at Ctrl-D, which inquirer doesn't notice.
  const atKey = (_: unknown, key?: { name?: string; ctrl?: boolean }) => {
    if (key?.ctrl && key.name === "d" && line === "") end.abort();
  };
  const atEnd = () => end.abort();
  const onLine = (typed: string) => {
    line = typed;
  };
  process.stdin.on("keypress", atKey);
  process.stdin.on("end", atEnd);
  try {
    return await linePrompt({ ...options, onLine }, { signal: AbortSignal.any([signal, end.signal]) });
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const { name } = error as Error;
    // Ctrl-C on a line with text only throws the text away.
    if (name === "ExitPromptError" && line !== "") return "";
    if (name === "ExitPromptError" || name === "AbortPromptError") return undefined;
    throw error;
  } finally {
    process.stdin.off("keypress", atKey);
    process.stdin.off("end", atEnd);
  }
}

interface LinePromptConfig extends LineOptions {
  onLine: (line: string) => void;
}

/** inquirer's `input` has no history; this has nothing else. */
const linePrompt = createPrompt<string, LinePromptConfig>(({ more, history, onLine }, done) => {
  const [line, setLine] = useState("");
  /** Position in the history; at its end is what is being typed. */
  const place = useRef(history.length);
  const typed = useRef("");

  useKeypress((key, readline) => {
    if (isEnterKey(key)) {
      // readline has emptied its line by now.
      done(line);
      return;
    }
    if (isUpKey(key) || isDownKey(key)) {
      if (place.current === history.length) typed.current = line;
      const next = place.current + (isUpKey(key) ? -1 : 1);
      place.current = Math.min(history.length, Math.max(0, next));
      readline.clearLine(0);
      readline.write(history[place.current] ?? typed.current);
    }
    onLine(readline.line);
    setLine(readline.line);
  });
  return `${styled(["cyan", "bold"], more ? "…" : ">", process.stdout)} ${line}`;
});
