// Converting a model of 1.2 billion parameters with random weights, and running it: bytes of input a second, and the
// highest memory. See README.md.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Engine, readConfig } from "hfms";
import { readOptions } from "./options.ts";
import { writeRandomLlama } from "./random-llama.ts";
import { Recorder } from "./report.ts";

const MEBI = 2 ** 20;
/** Of keys and values for the few tokens of a run: 256 positions, 16 layers, 8 heads of 64, twice in float32. */
const CACHE = 256 * 16 * 8 * 64 * 2 * 4;
const program = path.join(import.meta.dirname, "..", "bin", "run.js");
const options = readOptions({ rounds: 3, size: 1.24, dtypes: ["int8", "int4"] });
const folder = mkdtempSync(path.join(os.tmpdir(), "hfms-bench-"));
const model = path.join(folder, "model");
const env = {
  ...process.env,
  HF_HOME: path.join(folder, "home"),
  HF_HUB_OFFLINE: "1",
  HFMS_THREADS: String(options.threads),
  HFMS_BENCH_PEAK: path.join(folder, "peak"),
};

try {
  process.stderr.write("writing the model\n");
  const bytes = writeRandomLlama(model, options.size * 1e9);
  await using engine = await Engine.open(readConfig(env));
  const recorder = await Recorder.start(engine, {
    name: "convert",
    title: `Converting ${(bytes / 1e9).toFixed(2)} GB of bf16`,
    settings: { rounds: options.rounds, threads: options.threads, megabytes: Math.round(bytes / 1e6) },
    patience: options.patience,
  });
  for (let round = 0; round < options.rounds; round++) {
    for (const dtype of options.dtypes) {
      rmSync(env.HF_HOME, { recursive: true, force: true });
      const { ms, peak } = await recorder.sample(() => hfms("pull", model, "--dtype", dtype));
      recorder.add("input", dtype, "MB/s", bytes / 1e3 / ms);
      recorder.add("highest memory", dtype, "MiB", peak);
      if (round > 0) continue;
      const { peak: running } = await hfms("run", model, "hi", "--dtype", dtype, "--max-tokens", "8");
      const above = running - ((await weightsSize(engine, dtype)) + CACHE) / MEBI;
      recorder.add("memory of a run above weights and cache", dtype, "MiB", above);
    }
  }
  if (options.dtypes.includes("int8")) {
    recorder.check("int8: input", "MB/s", recorder.samples("input", "int8"), { atLeast: 250 });
    recorder.check("int8: highest memory", "MiB", recorder.samples("highest memory", "int8"), {
      atMost: 1.5e9 / MEBI,
    });
    const above = recorder.samples("memory of a run above weights and cache", "int8");
    recorder.check("int8: running, above weights and cache", "MiB", above, { atMost: 300e6 / MEBI });
  }
  recorder.finish(options.out);
} finally {
  rmSync(folder, { recursive: true });
}

/** Runs the program; its time from start to end in milliseconds, and its highest resident set (getrusage) in MiB. */
async function hfms(...args: string[]): Promise<{ ms: number; peak: number }> {
  const hook = `import { writeFileSync } from "node:fs"; process.on("exit", () => writeFileSync(process.env.HFMS_BENCH_PEAK, String(process.resourceUsage().maxRSS)));`;
  const start = performance.now();
  const child = spawn(
    process.execPath,
    ["--import", `data:text/javascript,${encodeURIComponent(hook)}`, program, ...args],
    { env, stdio: ["ignore", "ignore", "pipe"] },
  );
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`hfms ${args.join(" ")} ended with code ${code}: ${complaint}`);
  const ms = performance.now() - start;
  return { ms, peak: (Number(readFileSync(env.HFMS_BENCH_PEAK, "utf8")) * 1024) / MEBI };
}

async function weightsSize(engine: Engine, dtype: string): Promise<number> {
  const { graphs } = await engine.info(model);
  const graph = graphs.find((one) => one.dtype === dtype);
  if (!graph) throw new Error(`no graph of ${dtype} is there`);
  return statSync(path.join(graph.directory, "weights.bin")).size;
}
