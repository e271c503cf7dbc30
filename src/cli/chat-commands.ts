import { HfmsError } from "../core/index.js";
import type { ChatSettings } from "./chat-settings.js";
import type { Conversation } from "./conversation.js";
import { nearest } from "./nearest.js";

const commands: Record<string, { usage: string; does: string }> = {
  help: { usage: "/help", does: "show this list" },
  system: { usage: "/system [text]", does: "set the system message; without a text, show it" },
  set: {
    usage: "/set <name> [value]",
    does: "change a setting like temperature; without a value, take it back",
  },
  show: { usage: "/show", does: "show the settings" },
  save: { usage: "/save <file>", does: "write the conversation to a file" },
  load: { usage: "/load <file>", does: "go on with a saved conversation" },
  clear: { usage: "/clear", does: "forget what was said; the system message stays" },
  exit: { usage: "/exit", does: "leave (also Ctrl-C or Ctrl-D on an empty line)" },
};

/** Does what a line with a slash says. Returns what to tell the user, or undefined to leave. Throws HfmsError. */
export async function chatCommand(
  line: string,
  { conversation, settings, model }: { conversation: Conversation; settings: ChatSettings; model: string },
): Promise<string | undefined> {
  const [, name, rest] = /^\/(\S*)\s*([\s\S]*)$/.exec(line)!;
  switch (name) {
    case "help":
    case "?":
      return helpText();
    case "system":
      if (rest === "") return conversation.system ?? "there is no system message; /system <text> sets one";
      conversation.system = rest;
      return "the system message is set; it counts from the next answer on";
    case "set":
      return rest === "" ? settings.show() : settings.set(rest);
    case "show":
      return settings.show();
    case "save":
      await conversation.save(fileOf(rest, "save"), model);
      return `saved to ${rest}`;
    case "load":
      await conversation.load(fileOf(rest, "load"));
      return `loaded ${conversation.turns.length} messages from ${rest}`;
    case "clear":
      conversation.turns = [];
      return "forgotten";
    case "exit":
    case "quit":
    case "bye":
      return undefined;
    default: {
      const meant = nearest(name, Object.keys(commands));
      throw new HfmsError("invalid_request", `there is no command /${name}`, {
        hint: `${meant ? `did you mean /${meant}? ` : ""}/help lists them; a message that starts with a slash is written with two`,
      });
    }
  }
}

function helpText(): string {
  const width = Math.max(...Object.values(commands).map(({ usage }) => usage.length)) + 2;
  return [
    ...Object.values(commands).map(({ usage, does }) => usage.padEnd(width) + does),
    `${'"""'.padEnd(width)}starts and ends a message of several lines`,
    `${"Ctrl-C".padEnd(width)}stops an answer`,
  ].join("\n");
}

function fileOf(rest: string, command: string): string {
  if (rest !== "") return rest;
  throw new HfmsError("invalid_request", `/${command} needs the name of a file`);
}
