import { asArray, asBytes, asNumber, asRecord, asText, parseToolJson } from "./tool-json.js";
import type { DetectedDevice, Machine } from "./types.js";

export interface MacGpu extends DetectedDevice {
  /** Apple silicon: the GPU uses the machine's own memory. */
  unified: boolean;
}

/** The GPUs of a Mac with their memory; on Apple silicon that is the machine's. */
export async function readMacGpus(machine: Machine): Promise<DetectedDevice[]> {
  if (machine.platform !== "darwin") return [];
  const output = await machine.run("/usr/sbin/system_profiler", ["SPDisplaysDataType", "-json"]);
  const { memoryTotal, memoryFree } = machine.os();
  return parseSystemProfiler(output ?? "").map(({ unified, ...gpu }) =>
    unified ? { ...gpu, memoryTotal, memoryFree } : gpu,
  );
}

/**
 * `system_profiler SPDisplaysDataType -json`. Early releases for the M1 call it "kHW_AppleM1Item" in `_name`, so
 * `sppci_model` goes first. Metal's version is "spdisplays_metal3", or a family on older systems.
 */
export function parseSystemProfiler(text: string): MacGpu[] {
  const entries = asArray(asRecord(parseToolJson(text)).SPDisplaysDataType).map(asRecord);
  return entries.flatMap((entry) => {
    const name = asText(entry.sppci_model) ?? asText(entry._name);
    if (name === undefined) return [];
    const vendorText = asText(entry.spdisplays_vendor) ?? "";
    const vendor = /apple/i.test(vendorText)
      ? "Apple"
      : /amd|ati|1002/i.test(vendorText)
        ? "AMD"
        : /intel|8086/i.test(vendorText)
          ? "Intel"
          : undefined;
    const metal = asText(entry.spdisplays_mtlgpufamilysupport) ?? asText(entry.spdisplays_metal) ?? "";
    const version = /metal(\d+)$/.exec(metal)?.[1];
    return [
      {
        name,
        vendor,
        kind: "gpu" as const,
        cores: asNumber(entry.sppci_cores),
        memoryTotal: asBytes(entry.spdisplays_vram) ?? asBytes(entry.spdisplays_vram_shared),
        computeCapability: version ? `Metal ${version}` : undefined,
        unified: vendor === "Apple",
        seenBy: "system_profiler",
      },
    ];
  });
}
