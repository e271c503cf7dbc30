import { once } from "node:events";
import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { HfmsError } from "../core/index.js";

/** Writes, by default to standard output, and waits while the reader is slower than the model. */
export async function write(
  text: string | Uint8Array,
  stream: NodeJS.WriteStream = process.stdout,
): Promise<void> {
  if (text.length > 0 && !stream.write(text)) await once(stream, "drain");
}

/**
 * Writes what a model said. On a terminal, control characters are shown (␛) instead of sent: nobody who writes a model's
 * input may move the cursor or change the title of the window. Into a pipe or file the text goes as it is.
 */
export function writeAnswer(text: string, stream: NodeJS.WriteStream = process.stdout): Promise<void> {
  return write(stream.isTTY ? visible(text) : text, stream);
}

/** Control characters but tab and line feed as their pictures; C1 controls, which have none, as U+FFFD. */
export function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what this is about
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? "␡" : "�";
  });
}

/** Where a result goes: standard output, or a file that --output names. */
export interface Target {
  write(bytes: string | Uint8Array): Promise<void>;
  /** Overwrites bytes at the start; only files can. */
  rewrite?(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
  /** Takes back what a failed command has written to a file. */
  discard(): Promise<void>;
}

/** A file is written aside and renamed at the end, so a run that breaks off leaves nothing that looks whole. */
export async function openTarget(file: string | undefined): Promise<Target> {
  if (file === undefined)
    return { write: (bytes) => write(bytes), end: async () => {}, discard: async () => {} };
  const aside = `${file}.${process.pid}.part`;
  const handle = await explained(file, () => open(aside, "w"));
  return {
    write: (bytes) => explained(file, () => writeAll(handle, bytes)),
    rewrite: (bytes) => explained(file, () => writeAll(handle, bytes, 0)),
    async end() {
      await handle.close();
      await explained(file, () => rename(aside, file));
    },
    async discard() {
      await handle.close().catch(() => {});
      await rm(aside, { force: true });
    },
  };
}

async function writeAll(handle: FileHandle, bytes: string | Uint8Array, position?: number): Promise<void> {
  const buffer = typeof bytes === "string" ? Buffer.from(bytes) : bytes;
  for (let done = 0; done < buffer.length; ) {
    const at = position === undefined ? undefined : position + done;
    done += (await handle.write(buffer, done, buffer.length - done, at)).bytesWritten;
  }
}

async function explained<T>(file: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const reasons: Record<string, string> = {
      ENOENT: `the folder of "${file}" does not exist`,
      EACCES: `no permission to write "${file}"`,
      EISDIR: `"${file}" is a folder`,
      EROFS: `"${file}" is on a read-only disk`,
      ENOSPC: `no space left on the disk while writing "${file}"`,
      EDQUOT: `no space left on the disk while writing "${file}"`,
    };
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (!reasons[code]) throw error;
    const full = code === "ENOSPC" || code === "EDQUOT";
    throw new HfmsError(full ? "disk_full" : "file_error", reasons[code], { param: "output", cause: error });
  }
}
