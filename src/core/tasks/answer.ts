import type { AnswerEvent, Choice, SpelledLogprob, TokenLogprob } from "../requests.js";
import type { Sampled } from "../runtime/sampler.js";
import type { AnswerParser, AnswerPart } from "../text/answer-parser.js";
import { Detokenizer } from "../text/detokenizer.js";
import { StopMatcher } from "../text/stop.js";
import { type TokenSpelling, tokenSpelling } from "../text/token-spelling.js";
import type { Tokenizer } from "../text/types.js";

/** Of the token that a prompt begins with. */
type Unfounded = Omit<TokenLogprob, "logprob"> & { logprob: null };

export interface AnswerOptions {
  index: number;
  tokenizer: Tokenizer;
  /** What stands before the answer. */
  prompt: readonly number[];
  stop: readonly string[];
  /** Special tokens that are written out. */
  keep?: ReadonlySet<number>;
  /** Finds reasoning and tool calls; without one everything is text. */
  parser?: AnswerParser;
  emit(event: AnswerEvent): void;
}

/** Makes text, reasoning and tool calls of one answer's tokens, and holds what stop strings take away. */
export class Answer {
  readonly tokens: number[] = [];
  /** Sum of the log probabilities of its tokens, where they were asked for. */
  logprob = 0;
  #text = "";
  #reasoning = "";
  readonly #logprobs: SpelledLogprob[] = [];
  readonly #options: AnswerOptions;
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopMatcher;
  /** Tokens whose text has not been sent. */
  #unsent: { tokens: number[]; logprobs: SpelledLogprob[] } = { tokens: [], logprobs: [] };
  #spell: ((token: number) => TokenSpelling) | undefined;
  #stop: string | undefined;

  constructor(options: AnswerOptions) {
    const { tokenizer, prompt, keep, stop } = options;
    this.#options = options;
    this.#detokenizer = new Detokenizer(tokenizer, { context: prompt, keep });
    this.#stops = new StopMatcher(stop);
  }

  /** The prompt as the first piece of the text. */
  echo(text: string, tokens: readonly number[], logprobs?: TokenLogprob[]): void {
    this.#unsent.tokens.push(...tokens);
    const first = { token: tokens[0], logprob: null, top: [] };
    if (logprobs) this.#unsent.logprobs.push(...this.#note([first, ...logprobs]));
    this.#send([{ type: "text", text }]);
  }

  /** A new token; one that ends the answer has no text. False: a stop string was found. */
  push({ token, logprob }: Sampled, ends: boolean): boolean {
    this.tokens.push(token);
    const noted = logprob ? this.#note([logprob]) : [];
    this.logprob += logprob?.logprob ?? 0;
    if (ends) return false;
    this.#unsent.tokens.push(token);
    this.#unsent.logprobs.push(...noted);
    this.#read(this.#stops.push(this.#detokenizer.push(token)));
    return !this.#stops.stopped;
  }

  /** The answer as a whole; sends what was held back. */
  finish(reason: "stop" | "length"): Choice {
    const { index, parser } = this.#options;
    if (!this.#stops.stopped) {
      this.#read(this.#stops.push(this.#detokenizer.flush()));
      if (!this.#stops.stopped) this.#read({ text: this.#stops.flush() });
    }
    this.#send(parser?.finish() ?? []);
    const calls = parser?.toolCalls ?? [];
    const stopped = this.#stops.stopped ? "stop" : reason;
    return {
      index,
      text: this.#text,
      tokens: this.tokens,
      finishReason: stopped === "stop" && calls.length > 0 ? "tool_calls" : stopped,
      ...(this.#stop !== undefined && { stop: this.#stop }),
      ...(this.#reasoning !== "" && { reasoning: this.#reasoning }),
      ...(calls.length > 0 && { toolCalls: calls }),
      ...(this.#logprobs.length > 0 && { logprobs: this.#logprobs }),
    };
  }

  #note(logprobs: readonly (TokenLogprob | Unfounded)[]): SpelledLogprob[] {
    this.#spell ??= tokenSpelling(this.#options.tokenizer);
    const spell = this.#spell;
    const spelled = logprobs.map(({ token, logprob, top }) => ({
      token,
      ...spell(token),
      logprob,
      top: top.map((other) => ({ ...other, ...spell(other.token) })),
    }));
    this.#logprobs.push(...spelled);
    return spelled;
  }

  #read({ text, stop }: { text: string; stop?: string }): void {
    this.#stop ??= stop;
    const { parser } = this.#options;
    if (parser) this.#send(parser.push(text));
    else if (text !== "") this.#send([{ type: "text", text }]);
  }

  #send(parts: readonly AnswerPart[]): void {
    const { index, emit } = this.#options;
    for (const part of parts) {
      const { tokens, logprobs } = this.#unsent;
      this.#unsent = { tokens: [], logprobs: [] };
      if (part.type === "tool_call") {
        emit({ index, ...part });
        continue;
      }
      if (part.type === "text") this.#text += part.text;
      else this.#reasoning += part.text;
      emit({ index, ...part, tokens, ...(logprobs.length > 0 && { logprobs }) });
    }
  }
}
