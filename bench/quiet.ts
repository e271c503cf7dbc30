import { readFileSync } from "node:fs";
import os from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

/** How long this process looks on, idle, to see what others do; ms. */
const LOOK = 200;
/** Share of the machine's processors that others may use for a sample to count as undisturbed. */
export const QUIET = 0.1;

/**
 * Waits until the other programs of the machine are quiet, at most `patience` seconds, and says which share of the
 * processors they used in the end, 0 to 1. Threads that wait for each other suffer out of all proportion from a third one.
 */
export async function awaitQuiet(patience: number): Promise<number> {
  const deadline = performance.now() + patience * 1000;
  for (;;) {
    const share = await othersShare();
    if (share <= QUIET || performance.now() > deadline) return share;
    await sleep(500);
  }
}

async function othersShare(): Promise<number> {
  const before = processorTimes();
  const own = process.cpuUsage();
  await sleep(LOOK);
  const after = processorTimes();
  const { user, system } = process.cpuUsage(own);
  const elapsed = after.total - before.total;
  if (elapsed <= 0) return 0;
  return Math.max(0, (after.busy - before.busy - (user + system) / 1000) / elapsed);
}

/** Milliseconds since the start, over all processors; busy includes what the hypervisor took (steal). */
function processorTimes(): { busy: number; total: number } {
  try {
    const [user, nice, system, idle, iowait, irq, softirq, steal] = readFileSync("/proc/stat", "utf8")
      .split("\n", 1)[0]
      .split(/\s+/)
      .slice(1)
      .map((ticks) => Number(ticks) * 10);
    const busy = user + nice + system + irq + softirq + steal;
    return { busy, total: busy + idle + iowait };
  } catch {
    let busy = 0;
    let idle = 0;
    for (const { times } of os.cpus()) {
      busy += times.user + times.nice + times.sys + times.irq;
      idle += times.idle;
    }
    return { busy, total: busy + idle };
  }
}
