import { readFile, writeFile } from "node:fs/promises";
import { type ChatMessage, HfmsError } from "../core/index.js";

/** What was said so far in `hfms chat`, and the system message that stands before it. */
export class Conversation {
  system?: string;
  turns: ChatMessage[] = [];

  constructor(system?: string) {
    this.system = system;
  }

  /** The messages as the model gets them. */
  get messages(): ChatMessage[] {
    return this.system ? [{ role: "system", content: this.system }, ...this.turns] : [...this.turns];
  }

  ask(content: string): void {
    this.turns.push({ role: "user", content });
  }

  /**
   * An answer, or what there is of it, and what the model thought before it. Without a word of it, the question is
   * taken back.
   */
  answer(content: string, reasoning = ""): void {
    if (content === "") this.turns.pop();
    else this.turns.push({ role: "assistant", content, ...(reasoning && { reasoning }) });
  }

  async save(file: string, model: string): Promise<void> {
    try {
      await writeFile(file, `${JSON.stringify({ model, messages: this.messages }, null, 2)}\n`);
    } catch (error) {
      throw new HfmsError("file_error", `"${file}" can't be written: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** Replaces everything by what `save` wrote, or by any JSON with `messages` of role and content. */
  async load(file: string): Promise<void> {
    let text: string;
    try {
      text = await readFile(file, "utf8");
    } catch (error) {
      throw new HfmsError("file_error", `"${file}" can't be read: ${(error as Error).message}`, {
        cause: error,
      });
    }
    const messages = parseMessages(text);
    if (!messages) throw new HfmsError("invalid_request", `"${file}" is not a saved conversation`);
    this.system = messages[0]?.role === "system" ? messages.shift()!.content : undefined;
    this.turns = messages;
  }
}

const roles: string[] = ["system", "user", "assistant", "tool"] satisfies ChatMessage["role"][];

function parseMessages(text: string): ChatMessage[] | undefined {
  let messages: unknown;
  try {
    messages = (JSON.parse(text) as { messages?: unknown } | null)?.messages;
  } catch {
    return undefined;
  }
  return Array.isArray(messages) && messages.every(isMessage)
    ? messages.map(({ role, content, reasoning }) => ({ role, content, ...(reasoning && { reasoning }) }))
    : undefined;
}

function isMessage(value: unknown): value is ChatMessage {
  const { role, content, reasoning = "" } = (value ?? {}) as Partial<ChatMessage>;
  return roles.includes(role as string) && typeof content === "string" && typeof reasoning === "string";
}
