import { type BenchMeasure, benchMeasures } from "./measures.js";
import type { BenchCaseKey } from "./request.js";
import type { BenchCase, BenchResult } from "./result.js";
import type { Summary } from "./statistics.js";

/** How two results differ. */
export interface BenchComparison {
  before: BenchSide;
  after: BenchSide;
  /** What makes the numbers hard to compare: another machine, another model. */
  warnings: string[];
  cases: ComparedCase[];
  /** Cases that only one of them has. */
  only_before: string[];
  only_after: string[];
}

/** Where a result came from. */
export type BenchSide = Pick<BenchResult, "date" | "hfms">;

export interface ComparedCase {
  case: string;
  measures: ComparedMeasure[];
}

export interface ComparedMeasure {
  measure: BenchMeasure;
  before: Summary;
  after: Summary;
  /** Median after over median before. */
  ratio: number;
  /** `same`: the ranges of the samples overlap, so the difference may be chance. */
  verdict: "better" | "worse" | "same";
}

/**
 * Every measure of every case that both results have. Where each is of one model only (or dtype, or device) and these
 * are not the same, they are what is compared, with a warning.
 */
export function compareBenchResults(before: BenchResult, after: BenchResult): BenchComparison {
  const side = ({ date, hfms }: BenchResult): BenchSide => ({ date, hfms });
  const compared = comparedAspects(before, after);
  const named = ({ cases }: BenchResult): Map<string, BenchCase> =>
    new Map(cases.map((one) => [caseName({ ...one, ...compared }), one]));
  const [old, now] = [named(before), named(after)];
  const only = (one: Map<string, BenchCase>, other: Map<string, BenchCase>): string[] =>
    [...one.keys()].filter((name) => !other.has(name));
  return {
    before: side(before),
    after: side(after),
    warnings: warnings(before, after, compared),
    cases: [...old].flatMap(([name, one]) => {
      const other = now.get(name);
      return other ? [{ case: name, measures: compareMeasures(one, other) }] : [];
    }),
    only_before: only(old, now),
    only_after: only(now, old),
  };
}

type Aspect = "model" | "dtype" | "device";

/** What is another one in the other result, as "int8 → int4". */
function comparedAspects(before: BenchResult, after: BenchResult): Partial<Record<Aspect, string>> {
  const found: Partial<Record<Aspect, string>> = {};
  for (const aspect of ["model", "dtype", "device"] as const) {
    const [old, now] = [before, after].map(({ cases }) => [...new Set(cases.map((one) => one[aspect]))]);
    if (old.length === 1 && now.length === 1 && old[0] !== now[0]) found[aspect] = `${old[0]} → ${now[0]}`;
  }
  return found;
}

/** What a case is, in words: "org/model int8 on cpu, 64 + 64 tokens, 4 at once". */
export function caseName(one: BenchCaseKey): string {
  const { model, dtype, device, task, prompt_tokens, max_tokens, texts, batch } = one;
  const size = task === "text-generation" ? `${prompt_tokens} + ${max_tokens} tokens` : `${texts} texts`;
  return `${model} ${dtype} on ${device}, ${size}, ${batch} at once`;
}

function compareMeasures(before: BenchCase, after: BenchCase): ComparedMeasure[] {
  return (Object.keys(benchMeasures) as BenchMeasure[]).flatMap((measure) => {
    const [a, b] = [before.measures[measure], after.measures[measure]];
    if (!a || !b || a.median <= 0) return [];
    const apart = b.min > a.max ? "higher" : b.max < a.min ? "lower" : undefined;
    // One sample has no spread: nothing can be said of it.
    const known = a.samples.length > 1 && b.samples.length > 1;
    const verdict = !apart || !known ? "same" : apart === benchMeasures[measure].better ? "better" : "worse";
    return [{ measure, before: a, after: b, ratio: b.median / a.median, verdict }];
  });
}

function warnings(
  before: BenchResult,
  after: BenchResult,
  compared: Partial<Record<Aspect, string>>,
): string[] {
  const found = Object.entries(compared).map(([aspect, change]) => `the ${aspect} differs: ${change}`);
  const differ = (what: string, a: unknown, b: unknown): void => {
    const [one, other] = [a, b].map((value) => (Array.isArray(value) ? value.join(" ") : String(value)));
    if (one !== other) found.push(`${what} differs: ${one || "none"} before, ${other || "none"} after`);
  };
  const [m, n] = [before.machine, after.machine];
  differ("the processor", m.cpu, n.cpu);
  differ("the number of threads", m.threads, n.threads);
  differ("the instruction sets", m.instruction_sets, n.instruction_sets);
  differ("the GPU", m.gpus, n.gpus);
  differ("the operating system", m.os, n.os);
  differ("ONNX Runtime", before.runtime.version, after.runtime.version);
  differ("Node", before.node, after.node);
  for (const setting of ["warmup", "seed", "speculation"] as const)
    differ(`--${setting}`, before.settings[setting], after.settings[setting]);
  const revisions = new Map(before.cases.map(({ model, revision }) => [model, revision]));
  for (const { model, revision } of new Map(after.cases.map((one) => [one.model, one])).values()) {
    const known = revisions.get(model);
    if (known !== undefined) differ(`the revision of ${model}`, known, revision);
  }
  if (!before.complete) found.push("the measurement before was not finished");
  if (!after.complete) found.push("the measurement after was not finished");
  return found;
}
