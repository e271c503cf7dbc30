import * as Flags from "@oclif/core/flags";
import { type BenchRequest, deviceNames, dtypes, HfmsError } from "../core/index.js";
import { kvCacheDtypeFlag, originFlags } from "./model-flags.js";
import { nearest } from "./nearest.js";
import { type NumberRange, numberFlag, parseNumber } from "./number-flag.js";

const helpGroup = "WORK";

/** The flags that say what is measured. Each list gives every combination with the others. */
export const benchFlags = {
  "prompt-tokens": numbersFlag({ min: 1, summary: "lengths of prompts, in tokens; default 64" }),
  "max-tokens": numbersFlag({ min: 1, summary: "lengths of answers, in tokens; default 64" }),
  batch: numbersFlag({ min: 1, summary: "numbers of requests at the same time; default 1" }),
  dtype: wordsFlag({
    options: dtypes,
    helpValue: "<dtypes>",
    summary: `number formats of the weights, of ${dtypes.join(", ")}; default auto`,
  }),
  "kv-cache-dtype": kvCacheDtypeFlag({ helpGroup }),
  device: wordsFlag({
    options: ["auto", ...deviceNames],
    helpValue: "<devices>",
    summary: `hardware to run on, of auto, ${deviceNames.join(", ")}; one that can't be used is an error; default auto`,
  }),
  texts: numberFlag({
    integer: true,
    min: 1,
    helpGroup,
    summary: "texts in each request to an embedding model; default 32",
  }),
  warmup: numberFlag({
    integer: true,
    min: 0,
    helpGroup,
    summary: "runs of each case that don't count; default 1",
  }),
  repeats: numberFlag({
    integer: true,
    min: 1,
    helpGroup,
    summary: "runs of each case that count; default 3",
  }),
  seed: numberFlag({ integer: true, min: 0, helpGroup, summary: "which texts are used; default 0" }),
  speculation: Flags.boolean({
    helpGroup,
    summary: "let the engine guess ahead; made-up answers repeat themselves, and flatter it",
  }),
  ...originFlags,
};

/** The flags' values as `BenchRequest` names them. */
export function benchRequest(
  models: string[],
  flags: {
    "prompt-tokens"?: number[];
    "max-tokens"?: number[];
    batch?: number[];
    dtype?: BenchRequest["dtypes"];
    "kv-cache-dtype"?: BenchRequest["kvCacheDtype"];
    device?: BenchRequest["devices"];
    texts?: number;
    warmup?: number;
    repeats?: number;
    seed?: number;
    speculation: boolean;
    revision?: string;
    source?: BenchRequest["source"];
  },
  typed: string[],
): BenchRequest {
  return {
    models,
    promptTokens: flags["prompt-tokens"],
    maxTokens: flags["max-tokens"],
    batch: flags.batch,
    dtypes: flags.dtype,
    kvCacheDtype: flags["kv-cache-dtype"],
    devices: flags.device,
    texts: flags.texts,
    warmup: flags.warmup,
    repeats: flags.repeats,
    seed: flags.seed,
    speculation: flags.speculation,
    revision: flags.revision,
    source: flags.source,
    arguments: typed,
  };
}

function numbersFlag({ summary, ...range }: NumberRange & { summary: string }) {
  return listFlag({
    helpValue: "<n,n…>",
    summary,
    read: (item, name) => parseNumber(item, { ...range, integer: true }, name),
  });
}

function wordsFlag<T extends string>({
  options,
  ...flag
}: {
  options: readonly T[];
  summary: string;
  helpValue: string;
}) {
  return listFlag({
    ...flag,
    read: (item, name) => {
      const known = options.find((option) => option === item);
      if (known !== undefined) return known;
      const meant = nearest(item, options);
      throw new HfmsError("invalid_request", `--${name} can't be "${item}"`, {
        hint: `${meant ? `did you mean ${meant}? ` : ""}it is one of ${options.join(", ")}, or several with commas between them`,
        param: name,
      });
    },
  });
}

/** A flag with items between commas. Doubled ones count once. */
function listFlag<T extends string | number>({
  read,
  ...flag
}: {
  helpValue: string;
  summary: string;
  read: (item: string, name: string) => T;
}) {
  return Flags.custom<T[]>({
    ...flag,
    helpGroup,
    parse: async (typed, _context, { name }) => [
      ...new Set(typed.split(",").map((item) => read(item.trim(), name))),
    ],
  })();
}
