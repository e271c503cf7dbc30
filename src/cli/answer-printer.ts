import type { Choice } from "../core/index.js";
import { callDocuments } from "./answer-document.js";
import { visible, write, writeAnswer } from "./output.js";
import { styled } from "./style.js";

export interface AnswerStreams {
  stdout: NodeJS.WriteStream;
  stderr: NodeJS.WriteStream;
}

/**
 * Prints an answer: its text on stdout, what the model thought before it on stderr, the calls it asks for as lines of
 * JSON on stdout. A pipe gets the answer alone.
 */
export class AnswerPrinter {
  readonly #streams: AnswerStreams;
  readonly #showsReasoning: boolean;
  /** What was printed last, and how it ended. */
  #kind?: "text" | "reasoning";
  #last = "\n";

  constructor({ streams = process, showsReasoning }: { streams?: AnswerStreams; showsReasoning: boolean }) {
    this.#streams = streams;
    this.#showsReasoning = showsReasoning;
  }

  async text(text: string): Promise<void> {
    if (text === "") return;
    if (this.#kind === "reasoning") await this.end();
    this.#kind = "text";
    this.#last = text;
    await writeAnswer(text, this.#streams.stdout);
  }

  async reasoning(text: string): Promise<void> {
    if (text === "" || !this.#showsReasoning) return;
    if (this.#kind === "text") await this.end();
    const { stderr } = this.#streams;
    this.#kind = "reasoning";
    this.#last = text;
    await write(styled("dim", stderr.isTTY ? visible(text) : text, stderr), stderr);
  }

  /** Answers that are complete, each under a line with its number where there are several. */
  async choices(choices: Choice[]): Promise<void> {
    const { stdout } = this.#streams;
    for (const choice of choices) {
      if (choices.length > 1) {
        const title = `--- answer ${choice.index + 1} of ${choices.length} ---`;
        await write(`${styled("dim", title, stdout)}\n`, stdout);
      }
      await this.reasoning(choice.reasoning ?? "");
      await this.text(choice.text);
      await this.calls(choice);
    }
  }

  async calls(choice: Choice): Promise<void> {
    await this.end();
    for (const call of callDocuments(choice)) {
      await writeAnswer(`${JSON.stringify(call)}\n`, this.#streams.stdout);
    }
  }

  /** What follows must not stand on the answer's last line, nor the answer on that of its reasoning. */
  async end(): Promise<void> {
    const { stdout, stderr } = this.#streams;
    const unfinished = this.#last.endsWith("\n") ? "" : "\n";
    if (this.#kind === "text") await write(unfinished, stdout);
    if (this.#kind === "reasoning") await write(`${unfinished}\n`, stderr);
    this.#kind = undefined;
  }
}
