/** waiting: no memory yet. prefill: its prompt is being computed. ready: it waits to join. running: in the batch. */
export type SequenceState = "waiting" | "prefill" | "ready" | "running" | "ended";

export interface SequenceNeeds {
  /** Tokens of the prompt; at least 1. */
  promptLength: number;
  /** Upper bound of new tokens. */
  maxTokens: number;
  /** Higher ones go first. */
  priority?: number;
}

/** What the scheduler knows of a request: lengths and a state, no tokens and no tensors. */
export class Sequence {
  readonly promptLength: number;
  readonly maxTokens: number;
  readonly priority: number;
  state: SequenceState = "waiting";
  /** Order of arrival; the scheduler numbers them. */
  arrival = -1;
  /** Positions of the prompt that are in its cache. */
  computed = 0;
  /** How often a sequence that came later was let in before this one. */
  passed = 0;
  /** Sequences of the same company may have their prompts computed in one run; undefined: this one goes alone. */
  company: string | undefined;

  constructor({ promptLength, maxTokens, priority = 0 }: SequenceNeeds) {
    this.promptLength = promptLength;
    this.maxTokens = maxTokens;
    this.priority = priority;
  }

  /** Positions that it can come to need. */
  get reserved(): number {
    return this.promptLength + this.maxTokens;
  }
}
