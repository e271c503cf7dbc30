import { spawn } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";

const POWERCAP = "/sys/class/powercap";
/** Counters run over after some minutes at full power: often enough to notice each time. */
const RAPL_INTERVAL_MS = 5000;
const GPU_INTERVAL_MS = 100;
const NVIDIA_SMI = "nvidia-smi";
/** A driver that sleeps takes a second or two to wake. */
const NVIDIA_PATIENCE_MS = 5000;

/** Joules since the meter began or since they were last taken; absent where nothing counts them, or it has failed. */
export interface Energy {
  processor?: number;
  gpu?: number;
}

/** Adds up what the machine's meters count. */
export interface EnergyMeter {
  take(): Promise<Energy>;
  /** Processes of the meter, which are not the model's. */
  pids: number[];
  /** Why a number is absent: one sentence each. */
  missing: string[];
  stop(): void;
}

/**
 * Meters of the processors (RAPL of Intel and AMD, by Linux' powercap) and, for a model that runs on CUDA, of all NVIDIA
 * GPUs (power.draw of nvidia-smi, summed over time). Both count everything that the hardware does, not this process only.
 */
export async function openEnergyMeter({
  gpu,
  folder = POWERCAP,
}: {
  gpu: boolean;
  folder?: string;
}): Promise<EnergyMeter> {
  const processor = await openRapl(folder);
  const card = gpu ? await openNvidia() : undefined;
  return {
    pids: card?.pids ?? [],
    missing: [processor, card?.missing].filter((reason) => typeof reason === "string"),
    async take() {
      return {
        processor: typeof processor === "string" ? undefined : await processor.joules(),
        gpu: await card?.joules(),
      };
    },
    stop() {
      if (typeof processor !== "string") processor.stop();
      card?.stop();
    },
  };
}

interface Meter {
  joules(): Promise<number | undefined>;
  stop(): void;
}

interface RaplDomain {
  file: string;
  /** The counter's last reading, and where it starts again at 0; microjoules. */
  last: number;
  range: number;
}

/** A meter, or why there is none. */
async function openRapl(folder: string): Promise<Meter | string> {
  const names = await readdir(folder).catch(() => []);
  const domains: RaplDomain[] = [];
  let refused = false;
  // Both drivers, of MSRs and of MMIO, show the same package; the first one is enough.
  for (const name of names.filter((name) => /^intel-rapl:\d+(:\d+)?$/.test(name))) {
    const read = (file: string): Promise<string> => readFile(path.join(folder, name, file), "utf8");
    try {
      // A package holds its cores and its graphics; the memory behind it is counted apart.
      if (!/^(package|dram)/.test(await read("name"))) continue;
      const range = Number(await read("max_energy_range_uj"));
      const last = Number(await read("energy_uj"));
      domains.push({ file: path.join(folder, name, "energy_uj"), last, range });
    } catch (error) {
      refused ||= (error as NodeJS.ErrnoException).code === "EACCES";
    }
  }
  if (refused) return "no energy: only root may read the meters of this machine's processor (RAPL)";
  if (domains.length === 0) return "no energy: this machine shows no meters of its processor (RAPL)";
  return raplMeter(domains);
}

function raplMeter(domains: RaplDomain[]): Meter {
  let microjoules = 0;
  let failed = false;
  const look = async (): Promise<void> => {
    for (const domain of domains) {
      const text = await readFile(domain.file, "utf8").catch(() => "");
      const now = Number.parseInt(text, 10);
      if (Number.isNaN(now)) {
        failed = true;
        continue;
      }
      microjoules += counted(domain.last, now, domain.range);
      domain.last = now;
    }
  };
  // One look at a time: two would add the same difference twice.
  let turn = Promise.resolve();
  const inTurn = (): Promise<void> => (turn = turn.then(look));
  const timer = setInterval(inTurn, RAPL_INTERVAL_MS);
  timer.unref();
  return {
    async joules() {
      await inTurn();
      const joules = microjoules / 1e6;
      microjoules = 0;
      return failed ? undefined : joules;
    },
    stop: () => clearInterval(timer),
  };
}

/** What a counter went on by that starts again at 0 behind `range`, once at most. */
export function counted(before: number, now: number, range: number): number {
  return now >= before ? now - before : now + range - before;
}

/** Comes back when the first card has told its power, or when none will. */
async function openNvidia(): Promise<Meter & { pids: number[]; missing?: string }> {
  const child = spawn(
    NVIDIA_SMI,
    ["--query-gpu=index,power.draw", "--format=csv,noheader,nounits", `--loop-ms=${GPU_INTERVAL_MS}`],
    { stdio: ["ignore", "pipe", "ignore"], windowsHide: true },
  );
  const total = powerIntegral();
  let failed = false;
  const { promise: answered, resolve } = Promise.withResolvers<void>();
  const fail = (): void => {
    failed = true;
    resolve();
  };
  child.once("error", fail);
  child.once("close", fail);
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (total.add(line, performance.now())) resolve();
    else fail();
  });
  child.unref();
  const patience = setTimeout(fail, NVIDIA_PATIENCE_MS);
  await answered;
  clearTimeout(patience);
  if (failed) child.kill();
  return {
    pids: child.pid === undefined ? [] : [child.pid],
    missing: failed ? `no energy of the GPUs: ${NVIDIA_SMI} tells no power here` : undefined,
    joules: async () => {
      const joules = total.take(performance.now());
      return failed ? undefined : joules;
    },
    stop: () => child.kill(),
  };
}

/** Sums lines of `index, watts` over time: each card draws what it last said until it says something else. */
export function powerIntegral(): {
  /** False for a line that gives no power, such as "0, [N/A]". */
  add(line: string, now: number): boolean;
  /** Joules until now since the last call; undefined while no card has said anything. */
  take(now: number): number | undefined;
} {
  const cards = new Map<string, { watts: number; since: number }>();
  let joules = 0;
  const flush = (card: { watts: number; since: number }, now: number): void => {
    joules += (card.watts * (now - card.since)) / 1000;
    card.since = now;
  };
  return {
    add(line, now) {
      const [, index, watts] = /^\s*(\d+),\s*(\d+(?:\.\d+)?)\s*$/.exec(line) ?? [];
      if (index === undefined) return false;
      const card = cards.get(index);
      if (card) flush(card, now);
      cards.set(index, { watts: Number(watts), since: now });
      return true;
    },
    take(now) {
      if (cards.size === 0) return undefined;
      for (const card of cards.values()) flush(card, now);
      const taken = joules;
      joules = 0;
      return taken;
    },
  };
}
