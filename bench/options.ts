import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";

export interface BenchOptions {
  /** Folder that peers/build.sh filled. */
  peers: string;
  rounds: number;
  threads: number;
  /** Seconds that a sample waits for other programs to be quiet. */
  patience: number;
  /** File for the results; by default results/<name>.json. */
  out?: string;
  model?: string;
  dtypes: string[];
  /** Billions of parameters. */
  size: number;
}

/** The flags that every script here takes. */
export function readOptions(defaults: {
  rounds: number;
  dtypes?: string[];
  model?: string;
  size?: number;
}): BenchOptions {
  const { values } = parseArgs({
    options: {
      peers: { type: "string", default: path.join(import.meta.dirname, "peers", "built") },
      rounds: { type: "string", default: String(defaults.rounds) },
      threads: { type: "string", default: String(os.availableParallelism()) },
      patience: { type: "string", default: "30" },
      out: { type: "string" },
      model: { type: "string" },
      dtypes: { type: "string" },
      size: { type: "string", default: String(defaults.size) },
    },
  });
  const count = (flag: string, value: string): number => {
    const number = Number(value);
    if (!Number.isInteger(number) || number < 1)
      throw new Error(`--${flag} is ${value}; it must be 1 or more`);
    return number;
  };
  return {
    peers: path.resolve(values.peers),
    rounds: count("rounds", values.rounds),
    threads: count("threads", values.threads),
    patience: Number(values.patience),
    out: values.out,
    model: values.model ?? defaults.model,
    dtypes: values.dtypes?.split(",") ?? defaults.dtypes ?? [],
    size: Number(values.size),
  };
}
