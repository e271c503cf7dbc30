import { createReadStream } from "node:fs";
import { addAbortSignal, type Readable } from "node:stream";
import { HfmsError } from "../core/index.js";

/** One prompt is held in memory; no context is this long, so more than this is a mistake. */
const MAX_PROMPT_CHARACTERS = 64_000_000;

const inputHint = "give a text, a file with --file, or pipe something in";

/**
 * The text of one prompt: the words of the command line joined by blanks, where `-` stands for standard input; then the
 * file; and when there is neither, standard input if something is piped in. With words on the command line a pipe is
 * read only where `-` asks for it, so that hfms in a shell's read loop leaves the loop's input alone.
 */
export async function readPrompt(
  { words, file }: { words: string[]; file?: string },
  signal: AbortSignal,
): Promise<string> {
  const segments: string[] = [];
  let run: string[] = [];
  for (const word of words) {
    if (word !== "-") {
      run.push(word);
      continue;
    }
    if (run.length > 0) segments.push(run.join(" "));
    run = [];
    segments.push(await readText("-", signal));
  }
  if (run.length > 0) segments.push(run.join(" "));
  if (file !== undefined) segments.push(await readText(file, signal));
  if (segments.length === 0) {
    if (process.stdin.isTTY) throw new HfmsError("empty_input", "there is no input", { hint: inputHint });
    segments.push(await readText("-", signal));
  }
  const text = segments.join("\n");
  if (text.trim() !== "") return text;
  const what =
    file !== undefined ? named(file) : words.some((word) => word !== "-") ? "the input" : named("-");
  throw new HfmsError("empty_input", `${what} is empty`, { hint: inputHint });
}

/** A whole text file, or standard input for `-`, without the line breaks at its end. */
export async function readText(file: string, signal: AbortSignal): Promise<string> {
  let text = "";
  for await (const chunk of chunks(file, signal)) {
    text += chunk;
    if (text.length > MAX_PROMPT_CHARACTERS) {
      throw new HfmsError("invalid_request", `${named(file)} is longer than 64 MB`);
    }
  }
  return text.replace(/[\r\n]+$/, "");
}

/** Lines of a file, or of standard input for `-`, as they arrive. The last line break starts no further line. */
export async function* readLines(file: string, signal: AbortSignal): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of chunks(file, signal)) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield line.replace(/\r$/, "");
  }
  if (rest !== "") yield rest.replace(/\r$/, "");
}

async function* chunks(file: string, signal: AbortSignal): AsyncGenerator<string> {
  const stream: Readable = file === "-" ? process.stdin : createReadStream(file);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  addAbortSignal(signal, stream);
  try {
    for await (const chunk of stream) yield decoder.decode(chunk, { stream: true });
    yield decoder.decode();
  } catch (error) {
    throw explained(error, file);
  }
}

function explained(error: unknown, file: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ERR_ENCODING_INVALID_ENCODED_DATA") {
    return new HfmsError("invalid_request", `${named(file)} is not text in UTF-8`, {
      hint: "hfms reads text here; `iconv` converts other encodings",
      cause: error,
    });
  }
  const reasons: Record<string, string> = {
    ENOENT: `there is no file ${named(file)}`,
    EISDIR: `${named(file)} is a folder, not a file`,
    EACCES: `no permission to read ${named(file)}`,
  };
  return code && reasons[code] ? new HfmsError("file_error", reasons[code], { cause: error }) : error;
}

function named(file: string): string {
  return file === "-" ? "standard input" : `"${file}"`;
}
