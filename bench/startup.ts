// The whole way of a command, from the shell's prompt to the shell's prompt, and the memory at its highest. See README.md.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { Engine } from "hfms";
import { readOptions } from "./options.ts";
import { Recorder } from "./report.ts";

const MEBI = 2 ** 20;
const options = readOptions({ rounds: 11, model: "smollm2" });
const model = options.model!;
const program = path.join(import.meta.dirname, "..", "bin", "run.js");
const commands = {
  "hfms --help": ["--help"],
  [`hfms run ${model} "hi" --max-tokens 1`]: ["run", model, "hi", "--max-tokens", "1"],
};
const [help, run] = Object.keys(commands);

await using engine = await Engine.open();
// The first run brings the model where it is missing, and fills Node's cache of compiled code.
for (const args of Object.values(commands)) await timed(args);
const recorder = await Recorder.start(engine, {
  name: "startup",
  title: "Start-up with a warm cache",
  settings: { rounds: options.rounds, model },
  patience: options.patience,
});
const weights = await weightsSize();
const peaks: number[] = [];
for (let round = 0; round < options.rounds; round++) {
  for (const [name, args] of Object.entries(commands)) {
    const ms = await recorder.sample(() => timed(args));
    recorder.add(name, "in all", "ms", ms);
  }
  const peak = await peakMemory(commands[run]);
  peaks.push(peak);
  recorder.add("highest memory of that run", "in all", "MiB", peak);
}
recorder.check(help, "ms", recorder.samples(help, "in all"), { atMost: 300 });
recorder.check(run, "ms", recorder.samples(run, "in all"), { atMost: 1200 });
recorder.check(
  `highest memory above the weights (${Math.round(weights)} MiB)`,
  "MiB",
  peaks.map((peak) => peak - weights),
  { atMost: (250 * 1e6) / MEBI },
);
recorder.finish(options.out);

/** Milliseconds from the start of the process to its end. */
async function timed(args: string[], execArgv: string[] = [], env = process.env): Promise<number> {
  const start = performance.now();
  const child = spawn(process.execPath, [...execArgv, program, ...args], {
    env,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let complaint = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    complaint += text;
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`hfms ${args.join(" ")} ended with code ${code}: ${complaint}`);
  return performance.now() - start;
}

/** The highest resident set of a run (getrusage), in MiB, written by the process itself as it ends. */
async function peakMemory(args: string[]): Promise<number> {
  const folder = mkdtempSync(path.join(os.tmpdir(), "hfms-bench-"));
  const file = path.join(folder, "peak");
  const hook = `import { writeFileSync } from "node:fs"; process.on("exit", () => writeFileSync(process.env.HFMS_BENCH_PEAK, String(process.resourceUsage().maxRSS)));`;
  try {
    await timed(args, ["--import", `data:text/javascript,${encodeURIComponent(hook)}`], {
      ...process.env,
      HFMS_BENCH_PEAK: file,
    });
    return (Number(readFileSync(file, "utf8")) * 1024) / MEBI;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** MiB of the graph's weights, as `hfms run` picks the graph. */
async function weightsSize(): Promise<number> {
  for await (const event of engine.generate({ model, prompt: "hi", maxTokens: 1 })) {
    if (event.type !== "ready") continue;
    const { graphs } = await engine.info(model);
    const graph = graphs.find((one) => one.dtype === event.dtype && one.revision === event.revision);
    if (graph) return statSync(path.join(graph.directory, "weights.bin")).size / MEBI;
  }
  throw new Error(`no graph of ${model} is on this machine`);
}
