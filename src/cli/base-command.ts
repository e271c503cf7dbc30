import { Command } from "@oclif/core/command";
import * as Flags from "@oclif/core/flags";
import { Engine, readConfig } from "../core/index.js";
import { Interrupted } from "./error-report.js";
import { toJson } from "./json.js";
import { ProgressDisplay } from "./progress.js";

/**
 * What every command shares: --json, --quiet and --debug, the signal that Ctrl-C fires, the engine, and the display of
 * progress on stderr. Errors pass through; main.ts prints them and turns them into an exit code.
 */
export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true;
  static override baseFlags = {
    json: Flags.boolean({ summary: "print one JSON document on stdout", helpGroup: "GLOBAL" }),
    quiet: Flags.boolean({
      char: "q",
      summary: "no progress and no notices on stderr",
      helpGroup: "GLOBAL",
    }),
    debug: Flags.boolean({
      summary: "show where an unexpected error came from (also HFMS_DEBUG=1)",
      helpGroup: "GLOBAL",
    }),
  };

  /** What to do after Ctrl-C, where there is something to say. */
  protected readonly stoppedHint?: string;
  readonly #interrupt = new AbortController();
  #signalName?: NodeJS.Signals;
  #display?: ProgressDisplay;
  #takeInterrupt?: () => void;
  #takeStop?: (name: NodeJS.Signals) => void;

  /** Fires at Ctrl-C and SIGTERM. */
  protected get signal(): AbortSignal {
    return this.#interrupt.signal;
  }

  protected get display(): ProgressDisplay {
    this.#display ??= new ProgressDisplay({
      stream: process.stderr,
      quiet: this.argv.includes("--quiet") || this.argv.includes("-q"),
    });
    return this.#display;
  }

  /** @param answers how many answers are made at the same time; one at a time may guess ahead */
  protected openEngine(answers?: number): Promise<Engine> {
    const config = readConfig();
    return Engine.open({ ...config, sequences: config.sequences ?? answers });
  }

  /** While `work` runs, Ctrl-C fires only the signal that `work` gets, and the command goes on. */
  protected async interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const inner = new AbortController();
    this.#takeInterrupt = () => inner.abort(new Interrupted("SIGINT"));
    try {
      return await work(AbortSignal.any([inner.signal, this.signal]));
    } finally {
      this.#takeInterrupt = undefined;
    }
  }

  /** From now on, the first Ctrl-C or SIGTERM only calls `stop`: the command ends when it has ended. A second one ends it. */
  protected endsBy(stop: (name: NodeJS.Signals) => void): void {
    this.#takeStop = stop;
  }

  override async init(): Promise<void> {
    await super.init();
    process.on("SIGINT", this.#stop);
    process.on("SIGTERM", this.#stop);
  }

  override async catch(error: Error): Promise<never> {
    throw this.#signalName
      ? new Interrupted(this.#signalName, { hint: this.stoppedHint, cause: error })
      : error;
  }

  override async finally(_error: Error | undefined): Promise<void> {
    this.#display?.clear();
    process.off("SIGINT", this.#stop);
    process.off("SIGTERM", this.#stop);
  }

  override logJson(json: unknown): void {
    process.stdout.write(`${toJson(json)}\n`);
  }

  /** The first signal lets the command end cleanly; a second one, or five seconds without an end, ends it at once. */
  readonly #stop = (name: NodeJS.Signals): void => {
    if (name === "SIGINT" && this.#takeInterrupt) {
      const take = this.#takeInterrupt;
      // A second Ctrl-C on work that doesn't stop ends the command.
      this.#takeInterrupt = undefined;
      take();
      return;
    }
    const leave = (last: NodeJS.Signals) => {
      this.#display?.clear();
      process.exit(last === "SIGTERM" ? 143 : 130);
    };
    if (this.#takeStop) {
      const take = this.#takeStop;
      this.#takeStop = leave;
      take(name);
      return;
    }
    if (this.#signalName) leave(name);
    this.#signalName = name;
    this.#interrupt.abort(new Interrupted(name));
    setTimeout(leave, 5000, name).unref();
  };
}
