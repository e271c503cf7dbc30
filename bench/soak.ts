// 20,000 mixed requests to `hfms serve` on tiny models: whether memory stays, nothing is stuck, and all are counted once.
//   node bench/soak.ts [--requests N] [--seed S] [--clients N]
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { startHfms } from "./served.ts";
import { sendTraffic } from "./soak-traffic.ts";

const { values } = parseArgs({
  options: {
    requests: { type: "string", default: "20000" },
    seed: { type: "string", default: "1" },
    clients: { type: "string", default: "12" },
  },
});
const [requests, seed, clients] = [values.requests, values.seed, values.clients].map(Number);

/** The first share of the requests warms up: code is compiled, caches fill, and memory is taken in large steps. */
const WARM = 0.4;
const SAMPLES = 100;
/** Of the line through the samples, in MiB for 1,000 requests. */
const MOST_GROWTH = 0.5;
const GROUP = 5;
const MEBI = 2 ** 20;

const golden = (name: string) => path.join(import.meta.dirname, "..", "test", "golden", name);
const [chat, encoder] = [golden("llama-gqa"), golden("bert-mean")];
const home = mkdtempSync(path.join(os.tmpdir(), "hfms-soak-"));

interface Status {
  requests: {
    active: { route: string }[];
    totals: Record<"received" | "completed" | "refused" | "failed" | "cancelled", number>;
  };
  models: { model: string; pid?: number; memory_bytes?: number; in_use: number }[];
  process: { rss_bytes: number; heap_bytes: number };
}

const problems: string[] = [];
try {
  await using server = await startHfms({
    models: [chat, encoder],
    threads: 1,
    flags: ["--dtype", "fp32"],
    env: {
      HF_HOME: home,
      HF_HUB_OFFLINE: "1",
      // What these bound grows for hours otherwise, to sizes that suit the machine; a leak grows beyond them.
      HFMS_KV_CACHE: "32MB",
      NODE_OPTIONS: "--max-semi-space-size=8 --max-old-space-size=64",
      MALLOC_ARENA_MAX: "2",
    },
  });
  const status = async () => (await (await fetch(`${server.url}/status`)).json()) as Status;
  const before = (await status()).requests.totals;
  let looks = 0;
  const series = { "the server": [], "its heap": [], "the model host": [] } as Record<
    string,
    [number, number][]
  >;
  const hosts = new Set<number>();
  const start = performance.now();
  const counts = await sendTraffic({
    url: server.url,
    chat,
    encoder,
    requests,
    seed,
    clients,
    async onProgress(done) {
      if (done % Math.ceil(requests / SAMPLES) !== 0) return;
      looks += 1;
      const { process, models } = await status();
      const host = models.find(({ model }) => model.includes("llama-gqa"));
      series["the server"].push([done, process.rss_bytes / MEBI]);
      series["its heap"].push([done, process.heap_bytes / MEBI]);
      if (host?.memory_bytes) series["the model host"].push([done, host.memory_bytes / MEBI]);
      if (host?.pid) hosts.add(host.pid);
      if (done % Math.ceil(requests / 10) === 0)
        print(`${done}: ${Math.round(process.rss_bytes / MEBI)} MiB, ${seconds(start)} s`);
    },
  });
  print(`${requests} requests in ${seconds(start)} s: ${JSON.stringify(counts)}`);

  const { totals } = await settled(status);
  // The first look counted itself behind its numbers, the last one is the only that is active.
  const own = looks + 1;
  const found = Object.fromEntries(
    Object.entries(totals).map(([name, count]) => [name, count - before[name as keyof typeof before]]),
  ) as Status["requests"]["totals"];
  print(`the server counts ${JSON.stringify(found)}`);
  const least = counts.completed + counts.left + own;
  const served = found.completed + found.cancelled;
  check("refused", found.refused, counts.refused, counts.refused);
  check("failed", found.failed, counts.failed, counts.failed);
  check("nothing failed", found.failed, 0, 0);
  check("completed or left", served, least, least + counts.perhaps);
  const ended = totals.completed + totals.refused + totals.failed + totals.cancelled;
  check("received and ended", ended, totals.received - 1, totals.received - 1);
  check("processes that the model had", hosts.size, 1, 1);
  for (const [name, samples] of Object.entries(series)) {
    const warm = lowest(samples.filter(([done]) => done >= WARM * requests));
    const { slope, at } = line(warm);
    const perThousand = slope * 1000;
    print(
      `${name}: ${at(WARM * requests).toFixed(1)} MiB warm, ${at(requests).toFixed(1)} MiB at the end, ${perThousand.toFixed(3)} MiB for 1,000 requests`,
    );
    if (requests >= 5000) check(`growth of ${name}`, perThousand, Number.NEGATIVE_INFINITY, MOST_GROWTH);
  }
} finally {
  rmSync(home, { recursive: true, force: true });
}
if (problems.length > 0) {
  print(`WRONG: ${problems.join("; ")}`);
  process.exitCode = 1;
} else print("all is well");

/** Answers that were left end a moment after their clients went. */
async function settled(status: () => Promise<Status>): Promise<Status["requests"]> {
  for (let tries = 0; ; tries++) {
    const { requests: all, models } = await status();
    const stuck = all.active.filter(({ route }) => route !== "GET /status");
    const held = models.filter(({ in_use: uses }) => uses > 0);
    if (stuck.length === 0 && held.length === 0) {
      // The looks until here are no part of the traffic.
      all.totals.received -= tries;
      all.totals.completed -= tries;
      return all;
    }
    if (tries >= 50) {
      problems.push(`stuck: ${JSON.stringify({ stuck, held })}`);
      return all;
    }
    await sleep(200);
  }
}

function check(what: string, found: number, least: number, most: number): void {
  if (found < least || found > most) problems.push(`${what}: ${found}, not ${least} to ${most}`);
}

/** The lowest of every five: between them garbage comes and goes. */
function lowest(samples: [number, number][]): [number, number][] {
  const found: [number, number][] = [];
  for (let i = 0; i + GROUP <= samples.length; i += GROUP)
    found.push(samples.slice(i, i + GROUP).reduce((least, one) => (one[1] < least[1] ? one : least)));
  return found;
}

/** The line of least squares. */
function line(points: [x: number, y: number][]): { slope: number; at(x: number): number } {
  const mean = (of: (point: [number, number]) => number) =>
    points.reduce((sum, p) => sum + of(p), 0) / points.length;
  const [mx, my] = [mean(([x]) => x), mean(([, y]) => y)];
  const slope = mean(([x, y]) => (x - mx) * (y - my)) / mean(([x]) => (x - mx) ** 2);
  return { slope, at: (x) => my + slope * (x - mx) };
}

function seconds(start: number): number {
  return Math.round((performance.now() - start) / 1000);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
