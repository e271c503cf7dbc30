import { readCgroupLimits } from "./cgroup.js";
import type { HardwareReport, Machine } from "./types.js";

/** The processor, the threads this process may use of it, and the instructions that matter to neural networks. */
export async function readProcessor(machine: Machine): Promise<HardwareReport["cpu"]> {
  const facts = machine.os();
  if (machine.platform === "linux") {
    const [cpuinfo, limits, model] = await Promise.all([
      machine.readFile("/proc/cpuinfo"),
      readCgroupLimits(machine),
      machine.readFile("/proc/device-tree/model"),
    ]);
    const parsed = parseCpuinfo(cpuinfo ?? "");
    return {
      name: parsed.name ?? (model?.replaceAll("\0", "").trim() || facts.cpuModel || machine.arch),
      cores: parsed.cores ?? facts.logicalCores,
      threads: threadsUnderQuota(facts.availableParallelism, limits.cpuQuota),
      instructionSets: parsed.instructionSets,
    };
  }
  const sysctl =
    machine.platform === "darwin"
      ? parseSysctl((await machine.run("/usr/sbin/sysctl", ["hw", "machdep.cpu"])) ?? "")
      : undefined;
  return {
    name: sysctl?.name ?? (facts.cpuModel || machine.arch),
    cores: sysctl?.cores ?? facts.logicalCores,
    threads: facts.availableParallelism,
    // Windows tells the flags only through native calls; every 64-bit ARM has NEON.
    instructionSets: sysctl?.instructionSets ?? (machine.arch === "arm64" ? ["neon"] : []),
  };
}

/**
 * More threads than the quota pays for are stopped in the middle of an operator and all others wait for them; one
 * fewer leaves paid time unused. So the nearest whole number.
 */
export function threadsUnderQuota(available: number, quota: number | undefined): number {
  return Math.max(1, quota === undefined ? available : Math.min(available, Math.round(quota)));
}

/** Kernel flag (x86 `flags`, ARM `Features`: arch/arm64/kernel/cpuinfo.c) -> the name in the report. */
const INSTRUCTION_SETS: Record<string, string> = {
  sse4_2: "sse4_2",
  avx: "avx",
  f16c: "f16c",
  fma: "fma",
  avx2: "avx2",
  avx512f: "avx512f",
  avx512bw: "avx512bw",
  avx512vl: "avx512vl",
  avx512_vnni: "avx512_vnni",
  avx512_bf16: "avx512_bf16",
  avx512_fp16: "avx512_fp16",
  avx_vnni: "avx_vnni",
  avx_vnni_int8: "avx_vnni_int8",
  amx_tile: "amx_tile",
  amx_int8: "amx_int8",
  amx_bf16: "amx_bf16",
  amx_fp16: "amx_fp16",
  asimd: "neon",
  asimdhp: "fp16",
  asimddp: "dotprod",
  i8mm: "i8mm",
  bf16: "bf16",
  sve: "sve",
  sve2: "sve2",
  sme: "sme",
  sme2: "sme2",
};

/** /proc/cpuinfo of x86 and ARM. `cores` are physical; ARM doesn't say and has no second thread in a core. */
export function parseCpuinfo(text: string): { name?: string; cores?: number; instructionSets: string[] } {
  const processors = text
    .split(/\n\s*\n/)
    .map(fields)
    .filter((processor) => processor.has("processor"));
  const [first] = processors;
  if (first === undefined) return { instructionSets: [] };
  const cores = new Set(
    processors.map((processor, index) =>
      processor.has("core id") ? `${processor.get("physical id")}:${processor.get("core id")}` : index,
    ),
  );
  // Little cores may lack what big ones have; code that runs on all may use only what all have.
  const sets = processors.map((processor) => flagsOf(processor.get("flags") ?? processor.get("Features")));
  const common = [...sets[0]].filter((flag) => sets.every((set) => set.has(flag)));
  return {
    name: nameOf(processors),
    cores: cores.size,
    instructionSets: named(common),
  };
}

function fields(block: string): Map<string, string> {
  return new Map(
    block.split("\n").flatMap((line): [string, string][] => {
      const colon = line.indexOf(":");
      return colon < 0 ? [] : [[line.slice(0, colon).trim(), line.slice(colon + 1).trim()]];
    }),
  );
}

function flagsOf(text: string | undefined): Set<string> {
  return new Set((text ?? "").split(/\s+/).filter(Boolean));
}

function named(flags: string[]): string[] {
  const has = new Set(flags);
  return Object.entries(INSTRUCTION_SETS).flatMap(([flag, name]) => (has.has(flag) ? [name] : []));
}

/** "CPU implementer:CPU part" of the Main ID Register, as lscpu names them. */
const ARM_PARTS: Record<string, string> = {
  "0x41:0xd03": "Cortex-A53",
  "0x41:0xd08": "Cortex-A72",
  "0x41:0xd0b": "Cortex-A76",
  "0x41:0xd0c": "Neoverse N1",
  "0x41:0xd40": "Neoverse V1",
  "0x41:0xd42": "Cortex-A78AE",
  "0x41:0xd49": "Neoverse N2",
  "0x41:0xd4f": "Neoverse V2",
  "0x41:0xd83": "Neoverse V3AE",
  "0x41:0xd84": "Neoverse V3",
  "0x41:0xd8e": "Neoverse N3",
  "0x51:0x001": "Qualcomm Oryon",
  "0x61:0x022": "Apple M1 Icestorm",
  "0x61:0x023": "Apple M1 Firestorm",
  "0xc0:0xac3": "Ampere-1",
  "0xc0:0xac4": "Ampere-1a",
};

function nameOf(processors: Map<string, string>[]): string | undefined {
  const [first] = processors;
  const plain = first.get("model name");
  if (plain) return plain;
  const parts = processors.map((cpu) => ARM_PARTS[`${cpu.get("CPU implementer")}:${cpu.get("CPU part")}`]);
  return [...new Set(parts.filter(Boolean))].join(" + ") || undefined;
}

/** `sysctl hw machdep.cpu` of macOS: ARM as hw.optional.arm.FEAT_*, Intel as machdep.cpu.features. */
export function parseSysctl(text: string): { name?: string; cores?: number; instructionSets: string[] } {
  const values = fields(text);
  const arm = values.get("hw.optional.arm64") === "1" || values.has("hw.optional.arm.FEAT_FP16");
  const feature = (name: string) => values.get(`hw.optional.arm.FEAT_${name}`) === "1";
  const flags = arm
    ? [
        "asimd",
        ...(feature("FP16") ? ["asimdhp"] : []),
        ...(feature("DotProd") ? ["asimddp"] : []),
        ...(feature("I8MM") ? ["i8mm"] : []),
        ...(feature("BF16") ? ["bf16"] : []),
        ...(feature("SME") ? ["sme"] : []),
        ...(feature("SME2") ? ["sme2"] : []),
      ]
    : `${values.get("machdep.cpu.features") ?? ""} ${values.get("machdep.cpu.leaf7_features") ?? ""}`
        .toLowerCase()
        .split(/\s+/)
        .map((flag) => ({ "avx1.0": "avx", "sse4.2": "sse4_2", avx512vnni: "avx512_vnni" })[flag] ?? flag);
  const cores = Number(values.get("hw.physicalcpu"));
  return {
    name: values.get("machdep.cpu.brand_string") || undefined,
    cores: cores > 0 ? cores : undefined,
    instructionSets: named(flags),
  };
}
