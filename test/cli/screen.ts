import readline from "node:readline";
import { PassThrough } from "node:stream";

/** A stream that counts as a terminal of this many columns, or as a pipe without them, and keeps what is written. */
export function screen(columns?: number): NodeJS.WriteStream & { text: () => string } {
  const stream = new PassThrough({ encoding: "utf8" });
  let text = "";
  stream.on("data", (chunk: string) => {
    text += chunk;
  });
  return Object.assign(stream, {
    isTTY: columns !== undefined,
    columns,
    getColorDepth: () => 1,
    cursorTo: (x: number) => readline.cursorTo(stream, x),
    moveCursor: (dx: number, dy: number) => readline.moveCursor(stream, dx, dy),
    clearLine: (direction: -1 | 0 | 1) => readline.clearLine(stream, direction),
    text: () => text,
  }) as never;
}
