import { HfmsError } from "../../errors.js";
import { type Expression, partsOf, type Rule } from "./expression.js";

/** What holds for the rules that an expression reaches. */
export interface RuleAnalysis {
  isNullable(expression: Expression): boolean;
  /** Is there a text that ends? */
  isProductive(expression: Expression): boolean;
}

/** Rules in one format; a guard against schemas that unfold without end. */
const MAX_RULES = 20_000;

/** Throws invalid_request for left recursion: a rule that would call itself before it has read anything. */
export function analyseRules(root: Expression): RuleAnalysis {
  const rules = reachable(root);
  const nullable = fixpoint(rules, isNullable);
  const productive = fixpoint(rules, isProductive);
  const isProductiveHere = (expression: Expression) => isProductive(expression, productive);
  const leftCalls = (rule: Rule) => callsAtStart(rule.expression, nullable, isProductiveHere);
  const [leftRecursive] = cyclic(rules, leftCalls);
  if (leftRecursive) {
    throw new HfmsError(
      "invalid_request",
      `the rule "${leftRecursive.name}" calls itself before it has read a character`,
      { hint: "write it with * or + instead of left recursion", param: "format" },
    );
  }
  return {
    isNullable: (expression) => isNullable(expression, nullable),
    isProductive: isProductiveHere,
  };
}

function reachable(root: Expression): Set<Rule> {
  const found = new Set(callsOf(root));
  for (const rule of found) {
    for (const called of callsOf(rule.expression)) found.add(called);
    if (found.size > MAX_RULES) {
      throw new HfmsError("invalid_request", `the format needs more than ${MAX_RULES} rules`, {
        hint: "use fewer properties or references",
        param: "format",
      });
    }
  }
  return found;
}

/** The rules that an expression names. */
export function callsOf(expression: Expression): Rule[] {
  return expression.kind === "rule" ? [expression.rule] : partsOf(expression).flatMap(callsOf);
}

function callsAtStart(
  expression: Expression,
  nullable: ReadonlySet<Rule>,
  isProductive: (expression: Expression) => boolean,
): Rule[] {
  switch (expression.kind) {
    case "rule":
      return [expression.rule];
    case "choice":
      return expression.options
        .filter(isProductive)
        .flatMap((option) => callsAtStart(option, nullable, isProductive));
    case "repeat":
      return callsAtStart(expression.part, nullable, isProductive);
    case "sequence": {
      const found: Rule[] = [];
      for (const part of expression.parts) {
        found.push(...callsAtStart(part, nullable, isProductive));
        if (!isNullable(part, nullable)) break;
      }
      return found;
    }
    default:
      return [];
  }
}

/** The rules of which `holds` is true, found bottom-up: what is not shown is false. */
function fixpoint(
  rules: ReadonlySet<Rule>,
  holds: (expression: Expression, known: ReadonlySet<Rule>) => boolean,
): Set<Rule> {
  const known = new Set<Rule>();
  const callers = new Map<Rule, Rule[]>();
  for (const rule of rules) {
    for (const called of callsOf(rule.expression)) {
      const list = callers.get(called);
      if (list) list.push(rule);
      else callers.set(called, [rule]);
    }
  }
  const queue = [...rules];
  for (let rule = queue.pop(); rule; rule = queue.pop()) {
    if (known.has(rule) || !holds(rule.expression, known)) continue;
    known.add(rule);
    queue.push(...(callers.get(rule) ?? []));
  }
  return known;
}

function isNullable(expression: Expression, known: ReadonlySet<Rule>): boolean {
  switch (expression.kind) {
    case "text":
      return expression.text === "";
    case "characters":
      return false;
    case "automaton":
      return expression.automaton.accepting[0];
    case "sequence":
      return expression.parts.every((part) => isNullable(part, known));
    case "choice":
      return expression.options.some((option) => isNullable(option, known));
    case "repeat":
      return expression.min === 0 || isNullable(expression.part, known);
    case "rule":
      return known.has(expression.rule);
    case "border":
      return true;
  }
}

function isProductive(expression: Expression, known: ReadonlySet<Rule>): boolean {
  switch (expression.kind) {
    case "automaton":
      return expression.automaton.accepting.includes(true);
    case "sequence":
      return expression.parts.every((part) => isProductive(part, known));
    case "choice":
      return expression.options.some((option) => isProductive(option, known));
    case "repeat":
      return expression.min === 0 || isProductive(expression.part, known);
    case "rule":
      return known.has(expression.rule);
    case "characters":
      return expression.ranges.length > 0;
    default:
      return true;
  }
}

/** The rules on a cycle of calls: Tarjan's components, with an explicit stack. */
function cyclic(rules: ReadonlySet<Rule>, callsIn: (rule: Rule) => Rule[]): Set<Rule> {
  const found = new Set<Rule>();
  const order = new Map<Rule, number>();
  const low = new Map<Rule, number>();
  const path: Rule[] = [];
  const onPath = new Set<Rule>();
  for (const root of rules) {
    if (order.has(root)) continue;
    const work: { rule: Rule; calls: Rule[]; at: number }[] = [];
    const enter = (rule: Rule) => {
      order.set(rule, order.size);
      low.set(rule, order.get(rule)!);
      path.push(rule);
      onPath.add(rule);
      work.push({ rule, calls: callsIn(rule), at: 0 });
    };
    enter(root);
    while (work.length > 0) {
      const top = work.at(-1)!;
      if (top.at < top.calls.length) {
        const called = top.calls[top.at++];
        if (called === top.rule) found.add(called);
        if (!order.has(called)) enter(called);
        else if (onPath.has(called)) low.set(top.rule, Math.min(low.get(top.rule)!, order.get(called)!));
        continue;
      }
      work.pop();
      const parent = work.at(-1);
      if (parent) low.set(parent.rule, Math.min(low.get(parent.rule)!, low.get(top.rule)!));
      if (low.get(top.rule) !== order.get(top.rule)) continue;
      const component = path.splice(path.indexOf(top.rule));
      for (const rule of component) onPath.delete(rule);
      if (component.length > 1) for (const rule of component) found.add(rule);
    }
  }
  return found;
}
