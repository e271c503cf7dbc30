import { HfmsError } from "../../errors.js";
import { type Expression, partsOf, type Rule, sequence } from "./expression.js";
import { analyseRules, callsOf, type RuleAnalysis } from "./rule-analysis.js";
import { isPrefixFree, type Terminal, terminalOf } from "./terminal.js";

/** A format as instructions for the matcher: a pushdown automaton whose steps are regular parts. */
export interface Program {
  instructions: Instruction[];
  start: number;
}

export type Instruction =
  | { op: "match"; terminal: Terminal; next: number }
  /** The terminal, one item after the other, `min` to `max` times; for long runs of characters. */
  | { op: "count"; terminal: Terminal; min: number; max: number; next: number }
  | { op: "call"; target: number; next: number }
  | { op: "split"; targets: number[] }
  /** The instructions from `body` to their return, `min` to `max` times. */
  | { op: "repeat"; body: number; min: number; max: number; next: number }
  | { op: "return" };

/** Throws invalid_request when no text matches. */
export function compileProgram(root: Expression): Program {
  const analysis = analyseRules(root);
  if (!analysis.isProductive(root)) {
    throw new HfmsError(
      "invalid_request",
      "no answer can have this format: its parts contradict each other",
      {
        param: "format",
      },
    );
  }
  return new ProgramWriter(analysis).write(root);
}

/** Regular parts up to this many characters become one terminal. */
const MAX_MERGED = 256;
/** Rules up to this many characters that call no others are put into the terminals around them. */
const MAX_INLINED = 32;
/** A repeat whose part can be empty is unrolled; more often than this is refused. */
const MAX_EMPTY_REPEATS = 64;

/** Terminals of expressions that outlive a format: those of JSON, above all, and with them their token masks. */
const terminals = new WeakMap<Expression, Terminal>();

class ProgramWriter {
  readonly #instructions: Instruction[] = [{ op: "return" }];
  readonly #starts = new Map<Rule, number>();
  readonly #pending: Rule[] = [];
  readonly #sizes = new Map<Expression, number>();
  readonly #analysis: RuleAnalysis;

  constructor(analysis: RuleAnalysis) {
    this.#analysis = analysis;
  }

  write(root: Expression): Program {
    const start = this.#emit(root, RETURN);
    for (let rule = this.#pending.pop(); rule; rule = this.#pending.pop()) {
      const at = this.#starts.get(rule)!;
      this.#instructions[at] = { op: "split", targets: [this.#emit(rule.expression, RETURN)] };
    }
    return { instructions: this.#instructions, start };
  }

  /** Index of the instructions for an expression that go on at `next`. */
  #emit(expression: Expression, next: number): number {
    if (this.#size(expression) <= MAX_MERGED) return this.#match(expression, next);
    switch (expression.kind) {
      case "sequence":
        return this.#groups(expression.parts).reduceRight((after, part) => this.#emit(part, after), next);
      case "choice":
        return this.#choice(expression.options, next);
      case "repeat":
        return this.#repeat(expression, next);
      case "rule": {
        const target = this.#startOf(expression.rule);
        return next === RETURN ? target : this.#add({ op: "call", target, next });
      }
      default:
        return this.#match(expression, next);
    }
  }

  #add(instruction: Instruction): number {
    return this.#instructions.push(instruction) - 1;
  }

  #match(expression: Expression, next: number): number {
    if (expression.kind === "text" && expression.text === "") return next;
    return this.#add({ op: "match", terminal: terminal(expression), next });
  }

  #startOf(rule: Rule): number {
    let start = this.#starts.get(rule);
    if (start === undefined) {
      start = this.#add({ op: "return" });
      this.#starts.set(rule, start);
      this.#pending.push(rule);
    }
    return start;
  }

  /** Neighbours that are small and regular are taken together. */
  #groups(parts: readonly Expression[]): Expression[] {
    const groups: Expression[] = [];
    let size = 0;
    for (const part of parts) {
      const own = this.#size(part);
      if (size + own <= MAX_MERGED && groups.length > 0) {
        groups[groups.length - 1] = sequence(groups.at(-1)!, part);
        size += own;
      } else {
        groups.push(part);
        size = own;
      }
    }
    return groups;
  }

  #choice(options: readonly Expression[], next: number): number {
    const small: Expression[] = [];
    const targets: number[] = [];
    for (const option of options) {
      if (!this.#analysis.isProductive(option)) continue;
      // Texts make a small automaton however many they are.
      if (option.kind === "text" || this.#size(option) <= MAX_INLINED) small.push(option);
      else targets.push(this.#emit(option, next));
    }
    if (small.length > 0) {
      const merged: Expression = small.length === 1 ? small[0] : { kind: "choice", options: small };
      targets.push(this.#match(merged, next));
    }
    return targets.length === 1 ? targets[0] : this.#add({ op: "split", targets });
  }

  #repeat({ part, min, max }: Expression & { kind: "repeat" }, next: number): number {
    if (!this.#analysis.isProductive(part)) return next;
    if (isWide(part) && this.#size(part) <= MAX_MERGED) {
      const item = terminal(part);
      if (isPrefixFree(item) && !item.accepting[0]) {
        return this.#add({ op: "count", terminal: item, min, max, next });
      }
    }
    const at = this.#add({ op: "return" });
    const nullable = this.#analysis.isNullable(part);
    if (nullable && max !== Number.POSITIVE_INFINITY && max > MAX_EMPTY_REPEATS) {
      throw new HfmsError(
        "invalid_request",
        `a part that can be empty is repeated ${max} times; ${MAX_EMPTY_REPEATS} is the limit`,
        { param: "format" },
      );
    }
    const body = this.#emit(part, RETURN);
    this.#instructions[at] = { op: "repeat", body, min: nullable ? 0 : min, max, next };
    return at;
  }

  /** About how many characters a regular part has when written out; Infinity when it should stay as it is. */
  #size(expression: Expression): number {
    const known = this.#sizes.get(expression);
    if (known !== undefined) return known;
    const size = this.#measure(expression);
    this.#sizes.set(expression, size);
    return size;
  }

  #measure(expression: Expression): number {
    switch (expression.kind) {
      case "text":
        return expression.text.length;
      case "characters":
        return expression.ranges.length === 0 ? Number.POSITIVE_INFINITY : isWide(expression) ? 8 : 1;
      case "automaton":
        return expression.automaton.edges.length * 2;
      case "sequence":
        return expression.parts.reduce((sum, part) => sum + this.#size(part), 0);
      case "choice":
        if (expression.options.length === 0) return Number.POSITIVE_INFINITY;
        return expression.options.reduce((sum, option) => sum + this.#size(option), 0);
      case "repeat": {
        const { part, min, max } = expression;
        const bounded = max !== Number.POSITIVE_INFINITY;
        if (isWide(part) && (bounded || min > 1)) return Number.POSITIVE_INFINITY;
        return this.#size(part) * Math.max(1, min, bounded ? max : 0);
      }
      case "rule": {
        const inner = expression.rule.expression;
        if (callsOf(inner).length > 0 || isWide(inner)) return Number.POSITIVE_INFINITY;
        const size = this.#size(inner);
        return size <= MAX_INLINED ? size : Number.POSITIVE_INFINITY;
      }
      case "border":
        return Number.POSITIVE_INFINITY;
    }
  }
}

/** The last instruction of every rule; it stands first. */
const RETURN = 0;

function terminal(expression: Expression): Terminal {
  let found = terminals.get(expression);
  if (!found) {
    found = terminalOf(expression);
    terminals.set(expression, found);
  }
  return found;
}

/** Can one of its characters be nearly any? Then most tokens fit, and its masks are worth sharing. */
function isWide(expression: Expression): boolean {
  switch (expression.kind) {
    case "characters":
      return expression.ranges.reduce((sum, [low, high]) => sum + high - low + 1, 0) > 200;
    case "automaton":
      return true;
    default:
      // Not into rules: what is wide inside is shared there.
      return partsOf(expression).some(isWide);
  }
}
