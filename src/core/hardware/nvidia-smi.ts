import { asBytes, asFraction, asText } from "./tool-json.js";
import type { DetectedDevice, Machine } from "./types.js";

const FIELDS = "uuid,name,driver_version,memory.total,memory.free,utilization.gpu";
/** Drivers older than 510 don't know these and then refuse the whole query. */
const NEWER_FIELDS = "compute_cap,mig.mode.current";

export interface NvidiaGpu extends DetectedDevice {
  uuid?: string;
  /** The card is cut into instances (MIG); work runs on those, not on the card. */
  mig: boolean;
}

/** The GPUs that nvidia-smi lists, and instead of a card in MIG mode its instances. Undefined when it doesn't run. */
export async function readNvidiaSmi(
  machine: Machine,
  command: string,
): Promise<DetectedDevice[] | undefined> {
  const query = (fields: string) => machine.run(command, [`--query-gpu=${fields}`, "--format=csv,nounits"]);
  const csv = (await query(`${FIELDS},${NEWER_FIELDS}`)) ?? (await query(FIELDS));
  if (csv === undefined) return undefined;
  const gpus = parseNvidiaSmi(csv);
  if (!gpus.some(({ mig }) => mig)) return gpus.map(asDevice);
  const [list, xml] = await Promise.all([machine.run(command, ["-L"]), machine.run(command, ["-q", "-x"])]);
  const instances = parseMigInstances(list ?? "", xml ?? "");
  return gpus.flatMap((gpu) =>
    gpu.mig
      ? instances
          .filter(({ parent }) => parent === gpu.uuid)
          .map(({ profile, memoryTotal, memoryFree }) => ({
            ...asDevice(gpu),
            name: `${gpu.name} MIG ${profile}`,
            memoryTotal,
            memoryFree,
            load: undefined,
          }))
      : [asDevice(gpu)],
  );
}

function asDevice({ uuid: _uuid, mig: _mig, ...device }: NvidiaGpu): DetectedDevice {
  return device;
}

/**
 * `nvidia-smi --query-gpu=… --format=csv,nounits`: a header "name, memory.total [MiB], …" and a line a GPU. What a card
 * can't tell is "[N/A]" or "[Not Supported]"; a broken card puts a sentence in place of its line.
 */
export function parseNvidiaSmi(csv: string): NvidiaGpu[] {
  const [header = "", ...lines] = csv.split(/\r?\n/);
  const columns = header.split(",").map((column) => column.replace(/\[.*\]/, "").trim());
  if (!columns.includes("name")) return [];
  return lines.flatMap((line) => {
    const cells = line.split(",");
    if (cells.length !== columns.length) return [];
    const cell = (name: string) => asText(cells[columns.indexOf(name)]);
    return [
      {
        name: cell("name") ?? "NVIDIA GPU",
        vendor: "NVIDIA",
        kind: "gpu" as const,
        uuid: cell("uuid"),
        driver: cell("driver_version"),
        computeCapability: cell("compute_cap"),
        memoryTotal: asBytes(cell("memory.total"), "mb"),
        memoryFree: asBytes(cell("memory.free"), "mb"),
        load: asFraction(cell("utilization.gpu")),
        mig: cell("mig.mode.current") === "Enabled",
        seenBy: "nvidia-smi",
      },
    ];
  });
}

export interface MigInstance {
  /** UUID of the card. */
  parent: string;
  /** "1g.10gb": slices of the processors, nominal memory. */
  profile: string;
  memoryTotal?: number;
  memoryFree?: number;
}

/** Instances and their order from `nvidia-smi -L`, their memory from `nvidia-smi -q -x` (same order within a card). */
export function parseMigInstances(list: string, xml: string): MigInstance[] {
  const memory = parseMigMemory(xml);
  const instances: MigInstance[] = [];
  let parent = "";
  let index = 0;
  for (const line of list.split(/\r?\n/)) {
    const card = /^GPU \d+:.*\(UUID: (GPU-[^)]+)\)/.exec(line)?.[1];
    if (card !== undefined) {
      parent = card;
      index = 0;
    }
    const profile = /^\s+MIG (\S+)\s+Device\s+\d+:/.exec(line)?.[1];
    if (profile !== undefined && parent !== "") {
      instances.push({ parent, profile, ...memory.get(parent)?.[index] });
      index += 1;
    }
  }
  return instances;
}

type Memory = Pick<MigInstance, "memoryTotal" | "memoryFree">;

function parseMigMemory(xml: string): Map<string, Memory[]> {
  const byCard = new Map<string, Memory[]>();
  for (const card of xml.split("<gpu id=").slice(1)) {
    const uuid = /<uuid>(GPU-[^<]+)<\/uuid>/.exec(card)?.[1];
    if (uuid === undefined) continue;
    const instances = card.split("<mig_device>").slice(1);
    byCard.set(
      uuid,
      instances.map((instance) => {
        const usage = /<fb_memory_usage>([\s\S]*?)<\/fb_memory_usage>/.exec(instance)?.[1] ?? "";
        const value = (tag: string) => asBytes(new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(usage)?.[1]);
        return { memoryTotal: value("total"), memoryFree: value("free") };
      }),
    );
  }
  return byCard;
}
