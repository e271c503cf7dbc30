import { styled } from "./style.js";

/** A part of a help page: a title in bold above its lines; nothing when there are none. */
export function section(title: string, lines: string[]): string {
  return lines.length === 0 ? "" : [styled("bold", title, process.stdout), ...lines].join("\n");
}
