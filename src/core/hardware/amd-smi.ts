import { asArray, asBytes, asFraction, asNumber, asRecord, asText, parseToolJson } from "./tool-json.js";
import type { DetectedDevice } from "./types.js";

export interface AmdGpu extends DetectedDevice {
  /** "0000:03:00.0", lower case: what sysfs calls the card. */
  slot?: string;
}

/** What `rocmSmiArguments` make rocm-smi print. */
export const rocmSmiArguments = [
  "--showproductname",
  "--showbus",
  "--showmeminfo",
  "vram",
  "--showuse",
  "--showdriverversion",
  "--json",
];

/**
 * rocm-smi's JSON: an object a card, and "system" with the driver. Names of the fields vary with the release:
 * "Card series" (ROCm 4, 5) and "Card Series" (6), and "GFX Version" since 6.
 */
export function parseRocmSmi(text: string): AmdGpu[] {
  const document = asRecord(parseToolJson(text));
  const driver = asText(asRecord(document.system)["Driver version"]);
  return Object.entries(document).flatMap(([key, value]) => {
    if (!/^card\d+$/.test(key)) return [];
    const card = lowerKeys(asRecord(value));
    const total = asNumber(card["vram total memory (b)"]);
    const used = asNumber(card["vram total used memory (b)"]);
    return [
      {
        name: asText(card["card series"]) ?? asText(card["card model"]) ?? "AMD GPU",
        vendor: "AMD",
        kind: "gpu" as const,
        memoryTotal: total,
        memoryFree: remaining(total, used),
        computeCapability: asText(card["gfx version"]),
        driver: asText(card["driver version"]) ?? driver,
        load: asFraction(card["gpu use (%)"]),
        slot: asText(card["pci bus"])?.toLowerCase(),
        seenBy: "rocm-smi",
      },
    ];
  });
}

export const amdSmiStaticArguments = ["static", "--asic", "--bus", "--driver", "--vram", "--json"];
export const amdSmiMetricArguments = ["metric", "--usage", "--mem-usage", "--json"];

/**
 * amd-smi's JSON: a list (ROCm 6), or the list under "gpu_data" (ROCm 7). Numbers are `{value, unit}`; fields that
 * a card doesn't have are "N/A". Static facts and measurements come from two calls and are joined by the "gpu" number.
 */
export function parseAmdSmi(staticText: string, metricText: string): AmdGpu[] {
  const metrics = new Map(rows(metricText).map((row) => [row.gpu, row]));
  return rows(staticText).flatMap((row) => {
    const asic = asRecord(row.asic);
    const driver = asRecord(row.driver);
    const metric = asRecord(metrics.get(row.gpu));
    const memory = asRecord(metric.mem_usage);
    const total = asBytes(memory.total_vram, "mb") ?? asBytes(asRecord(row.vram).size, "mb");
    if (row.asic === undefined && row.vram === undefined) return [];
    return [
      {
        name: asText(asic.market_name) ?? "AMD GPU",
        vendor: "AMD",
        kind: "gpu" as const,
        memoryTotal: total,
        memoryFree: remaining(total, asBytes(memory.used_vram, "mb")),
        computeCapability: asText(asic.target_graphics_version),
        cores: asNumber(asic.num_compute_units),
        driver: asText(driver.version) ?? asText(driver.driver_version),
        load: asFraction(asRecord(metric.usage).gfx_activity),
        slot: asText(asRecord(row.bus).bdf)?.toLowerCase(),
        seenBy: "amd-smi",
      },
    ];
  });
}

function rows(text: string): Record<string, unknown>[] {
  const document = parseToolJson(text);
  return asArray(asRecord(document).gpu_data ?? document).map(asRecord);
}

function lowerKeys(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key.toLowerCase(), value]));
}

function remaining(total: number | undefined, used: number | undefined): number | undefined {
  return total === undefined || used === undefined ? undefined : Math.max(0, total - used);
}
