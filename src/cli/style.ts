import { styleText } from "node:util";

/**
 * Colours text for the stream that it goes to. It stays plain unless that stream is a terminal; NO_COLOR and
 * FORCE_COLOR overrule (Node reads them).
 */
export function styled(
  format: Parameters<typeof styleText>[0],
  text: string,
  stream: NodeJS.WriteStream,
): string {
  return styleText(format, text, { stream, validateStream: true });
}

/** Columns of the terminal behind a stream; undefined when there is none, and lines may be as long as they like. */
export function terminalWidth(stream: NodeJS.WriteStream): number | undefined {
  return stream.isTTY ? stream.columns || 80 : undefined;
}
