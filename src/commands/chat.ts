import * as Args from "@oclif/core/args";
import * as Flags from "@oclif/core/flags";
import { followAnswer, readyLine, timingsLine } from "../cli/answer.js";
import { type AnswerDocument, answerDocument } from "../cli/answer-document.js";
import { answerFlags, answerOptions } from "../cli/answer-flags.js";
import { BaseCommand } from "../cli/base-command.js";
import { ChatSettings } from "../cli/chat-settings.js";
import { Conversation } from "../cli/conversation.js";
import { renderError } from "../cli/error-report.js";
import { formatFlags, outputFormat } from "../cli/format-flags.js";
import { kvCacheDtypeFlag, modelChoice, modelFlags } from "../cli/model-flags.js";
import { write } from "../cli/output.js";
import { styled } from "../cli/style.js";
import { readPrompt } from "../cli/text-input.js";
import { formatDtype } from "../cli/units.js";
import {
  defaultModels,
  type Engine,
  type GenerateEvent,
  type GenerateRequest,
  HfmsError,
  type ModelChoice,
} from "../core/index.js";

export default class Chat extends BaseCommand {
  static override summary = "have a conversation with a model";
  static override description =
    `On a terminal, the model answers line by line and remembers what was said. /help lists the commands: /system, /set, /show, /save, /load, /clear, /exit. Ctrl-C stops an answer; on an empty line, Ctrl-C or Ctrl-D leaves.

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
    ...answerFlags,
    ...formatFlags,
    ...modelFlags,
    "kv-cache-dtype": kvCacheDtypeFlag(),
  };

  async run(): Promise<AnswerDocument | undefined> {
    const { args, flags } = await this.parse(Chat);
    const choice = modelChoice(args.model, flags);
    const settings = new ChatSettings({
      ...answerOptions(flags),
      format: await outputFormat(flags, this.signal),
    });
    const conversation = new Conversation(flags.system);
    if (process.stdin.isTTY) {
      if (!process.stdout.isTTY || this.jsonEnabled()) {
        throw new HfmsError("invalid_request", "a conversation needs the terminal for its output", {
          hint: "pipe a question in, or use `hfms run`",
        });
      }
      await using engine = await this.openEngine(1);
      await this.converse({ engine, choice, settings, conversation, verbose: flags.verbose });
      return undefined;
    }
    conversation.ask(await readPrompt({ words: [] }, this.signal));
    await using engine = await this.openEngine(1);
    const request = { ...choice, ...settings.request, prompt: conversation.messages };
    const answer = await followAnswer(engine.generate(request, this.signal), {
      display: this.display,
      print: this.jsonEnabled() ? "none" : "stream",
      verbose: flags.verbose,
    });
    if (flags.verbose) this.display.line(timingsLine(answer));
    return answerDocument(answer);
  }

  private async converse(talk: Talk): Promise<void> {
    const { askMessage } = await import("../cli/chat-prompt.js");
    const { chatCommand } = await import("../cli/chat-commands.js");
    const { conversation, settings } = talk;
    const { model } = talk.choice;
    await this.load(talk);
    const history: string[] = [];
    for (;;) {
      const line = await askMessage(history, this.signal);
      if (line === undefined) return;
      if (line.trim() === "") continue;
      try {
        if (line.startsWith("/") && !line.startsWith("//")) {
          const reply = await chatCommand(line.trim(), { conversation, settings, model });
          if (reply === undefined) return;
          await write(`${styled("dim", reply, process.stdout)}\n`);
          continue;
        }
        conversation.ask(line.replace(/^\/\//, "/"));
        await this.answer(talk);
      } catch (error) {
        if (!(error instanceof HfmsError) || !forgivable.has(error.code)) throw error;
        process.stderr.write(renderError(inChat(error)));
      }
    }
  }

  /** Has the model ready before the first question, and says which one it is. */
  private async load({ engine, choice, verbose }: Talk): Promise<void> {
    const events = engine.load(choice, "text-generation", this.signal);
    for await (const ready of this.display.follow(events)) {
      this.signal.throwIfAborted();
      if (verbose) this.display.line(readyLine(ready));
      const greeting = `${ready.model} (${formatDtype(ready)}, ${ready.device}): /help lists the commands, /exit leaves`;
      await write(`${styled("dim", greeting, process.stdout)}\n`);
    }
  }

  /** Streams one answer and keeps it, also when Ctrl-C breaks it off. */
  private async answer({ engine, choice, settings, conversation, verbose }: Talk): Promise<void> {
    const said = { text: "", reasoning: "" };
    const request: GenerateRequest = { ...choice, ...settings.request, prompt: conversation.messages };
    try {
      await this.interruptible(async (signal) => {
        const answer = await followAnswer(noted(engine.generate(request, signal), said), {
          display: this.display,
          print: "stream",
          verbose,
          // What was chosen was said when the model was loaded.
          sayReady: false,
        });
        if (verbose) this.display.line(timingsLine(answer));
        if (answer.done.finishReason === "length" && request.maxTokens === undefined) {
          this.display.notice("the context is full, so the answer ends here; /clear starts over");
        }
      });
    } catch (error) {
      const stopped =
        error instanceof HfmsError ? error.code === "aborted" : (error as Error).name === "AbortError";
      if (!stopped || this.signal.aborted) throw error;
      await write(`${styled("dim", "(stopped)", process.stdout)}\n`);
    } finally {
      conversation.answer(said.text.trim(), said.reasoning.trim());
    }
  }
}

/** What a conversation is made of. */
interface Talk {
  engine: Engine;
  choice: ModelChoice;
  settings: ChatSettings;
  conversation: Conversation;
  verbose: boolean;
}

/** Errors that a conversation survives. */
const forgivable = new Set<string>(["invalid_request", "file_error", "context_length_exceeded"]);

/** Passes an answer's events on and writes down what is said. */
async function* noted(
  events: AsyncIterable<GenerateEvent>,
  said: { text: string; reasoning: string },
): AsyncGenerator<GenerateEvent> {
  for await (const event of events) {
    if (event.type === "text" || event.type === "reasoning") said[event.type] += event.text;
    yield event;
  }
}

function inChat({ code, message, hint }: HfmsError): Parameters<typeof renderError>[0] {
  if (code !== "context_length_exceeded") return { code, message, hint };
  return { code, message, hint: "/clear starts over, /save <file> keeps what was said" };
}
