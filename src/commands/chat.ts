import * as Args from "@oclif/core/args";
import * as Flags from "@oclif/core/flags";
import { type AnswerDocument, answerDocument, followAnswer, timingsLine } from "../cli/answer.js";
import { BaseCommand } from "../cli/base-command.js";
import { Conversation } from "../cli/conversation.js";
import { renderError } from "../cli/error-report.js";
import { modelChoice, modelFlags } from "../cli/model-flags.js";
import { write, writeAnswer } from "../cli/output.js";
import { samplingFlags, samplingParams } from "../cli/sampling-flags.js";
import { styled } from "../cli/style.js";
import { readPrompt } from "../cli/text-input.js";
import { defaultModels, type Engine, type GenerateRequest, HfmsError } from "../core/index.js";

export default class Chat extends BaseCommand {
  static override summary = "have a conversation with a model";
  static override description =
    `On a terminal, the model answers line by line and remembers what was said. /help lists the commands: /system, /save, /load, /clear, /exit. Ctrl-C stops an answer; on an empty line, Ctrl-C or Ctrl-D leaves.

From a pipe it answers once, like \`hfms run\`.`;
  static override examples = [
    "<%= config.bin %> chat",
    '<%= config.bin %> chat smollm2 --system "You are a helpful cook." --temperature 0.7',
    'echo "Why is the sky blue?" | <%= config.bin %> chat --max-tokens 40',
  ];
  static override args = {
    model: Args.string({
      default: defaultModels.generate,
      ignoreStdin: true,
      description: `skill, alias, Hub id org/name[@revision], folder or .gguf file; default ${defaultModels.generate}`,
    }),
  };
  static override flags = {
    system: Flags.string({ char: "s", helpValue: "<text>", summary: "system message" }),
    verbose: Flags.boolean({ char: "v", summary: "say on stderr what was chosen, and how fast it was" }),
    ...samplingFlags,
    ...modelFlags,
  };

  async run(): Promise<AnswerDocument | undefined> {
    const { args, flags } = await this.parse(Chat);
    const request = { ...modelChoice(args.model, flags), ...samplingParams(flags) };
    const conversation = new Conversation(flags.system);
    if (process.stdin.isTTY) {
      if (!process.stdout.isTTY || this.jsonEnabled()) {
        throw new HfmsError("invalid_request", "a conversation needs the terminal for its output", {
          hint: "pipe a question in, or use `hfms run`",
        });
      }
      await using engine = await this.openEngine();
      await this.converse(engine, request, conversation, flags.verbose);
      return undefined;
    }
    conversation.ask(await readPrompt({ words: [] }, this.signal));
    await using engine = await this.openEngine();
    const answer = await followAnswer(
      engine.generate({ ...request, prompt: conversation.messages }, this.signal),
      { display: this.display, print: this.jsonEnabled() ? undefined : writeAnswer, verbose: flags.verbose },
    );
    if (flags.verbose) this.display.line(timingsLine(answer.done));
    return answerDocument(answer);
  }

  private async converse(
    engine: Engine,
    request: Omit<GenerateRequest, "prompt">,
    conversation: Conversation,
    verbose: boolean,
  ): Promise<void> {
    const { askLine } = await import("../cli/chat-prompt.js");
    const { chatCommand } = await import("../cli/chat-commands.js");
    const { model } = request;
    await write(`${styled("dim", `${model}: /help lists the commands, /exit leaves`, process.stdout)}\n`);
    for (;;) {
      const line = await askMessage(askLine, this.signal);
      if (line === undefined) return;
      if (line.trim() === "") continue;
      try {
        if (line.startsWith("/") && !line.startsWith("//")) {
          const reply = await chatCommand(line.trim(), { conversation, model });
          if (reply === undefined) return;
          await write(`${styled("dim", reply, process.stdout)}\n`);
          continue;
        }
        conversation.ask(line.replace(/^\/\//, "/"));
        await this.answer(engine, request, conversation, verbose);
      } catch (error) {
        if (!(error instanceof HfmsError) || !forgivable.has(error.code)) throw error;
        process.stderr.write(renderError(inChat(error)));
      }
    }
  }

  /** Streams one answer and keeps it, also when Ctrl-C breaks it off. */
  private async answer(
    engine: Engine,
    request: Omit<GenerateRequest, "prompt">,
    conversation: Conversation,
    verbose: boolean,
  ): Promise<void> {
    let text = "";
    const print = (part: string) => {
      text += part;
      return writeAnswer(part);
    };
    try {
      await this.interruptible(async (signal) => {
        const events = engine.generate({ ...request, prompt: conversation.messages }, signal);
        // What was chosen is said once.
        const first = conversation.turns.length === 1;
        const { done } = await followAnswer(events, {
          display: this.display,
          print,
          verbose: verbose && first,
        });
        if (verbose) this.display.line(timingsLine(done));
        if (done.finishReason === "length" && request.maxTokens === undefined) {
          this.display.notice("the context is full, so the answer ends here; /clear starts over");
        }
      });
    } catch (error) {
      const stopped =
        error instanceof HfmsError ? error.code === "aborted" : (error as Error).name === "AbortError";
      if (!stopped || this.signal.aborted) throw error;
      await write(`${styled("dim", "(stopped)", process.stdout)}\n`);
    } finally {
      conversation.answer(text.trim());
    }
  }
}

/** Errors that a conversation survives. */
const forgivable = new Set<string>(["invalid_request", "file_error", "context_length_exceeded"]);

/** A line, or the lines between two lines of three quotes. */
async function askMessage(
  askLine: typeof import("../cli/chat-prompt.js").askLine,
  signal: AbortSignal,
): Promise<string | undefined> {
  const first = await askLine({}, signal);
  if (!first?.startsWith('"""')) return first;
  const lines = [first.slice(3)];
  for (;;) {
    const line = await askLine({ more: true }, signal);
    if (line === undefined) return "";
    if (line.endsWith('"""')) return [...lines, line.slice(0, -3)].join("\n").trim();
    lines.push(line);
  }
}

function inChat({ code, message, hint }: HfmsError): Parameters<typeof renderError>[0] {
  if (code !== "context_length_exceeded") return { code, message, hint };
  return { code, message, hint: "/clear starts over, /save <file> keeps what was said" };
}
