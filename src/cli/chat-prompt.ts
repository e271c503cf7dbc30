import { input } from "@inquirer/prompts";
import { styled } from "./style.js";

/**
 * Asks for one line at the terminal. Undefined is the end: Ctrl-C or Ctrl-D on an empty line. `more` marks a line that
 * goes on with a block of text.
 */
export async function askLine(
  { more = false }: { more?: boolean },
  signal: AbortSignal,
): Promise<string | undefined> {
  const end = new AbortController();
  let line = "";
  // readline closes at Ctrl-D, which inquirer doesn't notice.
  const atKey = (_: unknown, key?: { name?: string; ctrl?: boolean }) => {
    if (key?.ctrl && key.name === "d" && line === "") end.abort();
  };
  const atEnd = () => end.abort();
  process.stdin.on("keypress", atKey);
  process.stdin.on("end", atEnd);
  const mark = styled(["cyan", "bold"], more ? "…" : ">", process.stdout);
  try {
    return await input(
      {
        message: "",
        transformer: (value) => {
          line = value;
          return value;
        },
        theme: {
          prefix: { idle: mark, done: mark },
          // Without a message, the answer stands one blank after the mark.
          style: { message: () => undefined, answer: (text: string) => text },
        },
      },
      { signal: AbortSignal.any([signal, end.signal]) },
    );
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
