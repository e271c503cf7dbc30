import { Chalk, type ColorName, type ModifierName, supportsColor, supportsColorStderr } from "chalk";

export type Style = ColorName | ModifierName;

/**
 * Colours text for the stream that it goes to. It stays plain unless that stream is a terminal; NO_COLOR and
 * FORCE_COLOR overrule.
 */
export function styled(styles: Style | Style[], text: string, stream: NodeJS.WriteStream): string {
  if (text === "" || !isColoured(stream)) return text;
  // Only the sixteen basic colours are used: they follow the terminal's own theme.
  const chalk = new Chalk({ level: 1 });
  return [styles].flat().reduce((painted, style) => chalk[style](painted), text);
}

/** Does colour belong on this stream? */
export function isColoured(stream: NodeJS.WriteStream): boolean {
  // chalk knows FORCE_COLOR and many terminals, but not NO_COLOR, which Node does.
  if (stream.isTTY && stream.getColorDepth() <= 2) return false;
  return Boolean(stream === process.stderr ? supportsColorStderr : supportsColor);
}

/** Columns of the terminal behind a stream; undefined when there is none, and lines may be as long as they like. */
export function terminalWidth(stream: NodeJS.WriteStream): number | undefined {
  return stream.isTTY ? stream.columns || 80 : undefined;
}
