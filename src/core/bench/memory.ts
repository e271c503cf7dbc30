import { readFile } from "node:fs/promises";

const INTERVAL_MS = 20;

/** Watches the resident memory of this process and of the processes below it, in bytes. */
export interface MemoryWatch {
  /** The highest since it began, or since the last call. */
  takePeak(): Promise<number>;
  stop(): void;
}

/**
 * Looks every 20 ms, so a peak that is shorter may be missed. Children are counted where /proc lists them: Linux. Pages
 * of a file that several processes map are counted in each.
 */
export function watchMemory({ except = [] }: { except?: number[] } = {}): MemoryWatch {
  let peak = 0;
  const look = async (): Promise<void> => {
    // The children are read later than this process: the sum is of a moment that is a millisecond long.
    const own = process.memoryUsage.rss();
    peak = Math.max(peak, own + (await residentBelow(process.pid, except)));
  };
  let looking = false;
  const timer = setInterval(async () => {
    if (looking) return;
    looking = true;
    await look();
    looking = false;
  }, INTERVAL_MS);
  timer.unref();
  return {
    async takePeak() {
      await look();
      const highest = peak;
      peak = 0;
      return highest;
    },
    stop: () => clearInterval(timer),
  };
}

/** Bytes of all processes below one; 0 where there is no /proc. */
async function residentBelow(pid: number, except: number[]): Promise<number> {
  let sum = 0;
  for (const child of await childrenOf(pid)) {
    if (except.includes(child)) continue;
    const status = await readFile(`/proc/${child}/status`, "utf8").catch(() => "");
    sum += residentOf(status) + (await residentBelow(child, except));
  }
  return sum;
}

/** VmRSS of /proc/<pid>/status (proc_pid_status(5)), in bytes; 0 for a process that has just ended. */
export function residentOf(status: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}

/** Processes that any thread of a process started: Node starts them from its main thread. */
async function childrenOf(pid: number): Promise<number[]> {
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return list.split(" ").filter(Boolean).map(Number);
}
