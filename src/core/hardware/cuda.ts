import path from "node:path";
import { readNvidiaSmi } from "./nvidia-smi.js";
import { namePciDevice, pciVendors, readPciDevices } from "./pci.js";
import { judgeInstalled, readProviderState } from "./provider.js";
import type { Backend, DetectedDevice, Machine } from "./types.js";
import { readWindowsAdapters } from "./windows-registry.js";

const PROVIDER_FILE = "libonnxruntime_providers_cuda.so";
/** What the provider's library links to, for CUDA 12 and 13. */
const CUDA_LIBRARIES = [
  { name: "the CUDA runtime (libcudart)", file: /libcudart\.so\.1[23]/ },
  { name: "cuBLAS (libcublasLt)", file: /libcublasLt\.so\.1[23]/ },
  { name: "cuDNN 9 (libcudnn)", file: /libcudnn\.so\.9/ },
];

/** NVIDIA GPUs. The runtime's package installs without their provider: it is a separate download of CUDA files. */
export const cuda: Backend = {
  name: "cuda",
  title: "NVIDIA CUDA",
  executionProvider: "CUDAExecutionProvider",

  async detect(machine) {
    if (machine.platform === "win32") return detectOnWindows(machine);
    if (machine.platform !== "linux") return [];
    const [devices, pci] = await Promise.all([machine.readDir("/dev"), readPciDevices(machine)]);
    const cards = pci.filter(({ vendor }) => vendor === pciVendors.nvidia);
    // dxg is how WSL shows the Windows driver; its nvidia-smi lies in a folder of its own.
    const driver = devices.some((name) => /^nvidia(ctl|\d+)$/.test(name) || name === "dxg");
    if (driver || cards.length > 0) {
      const seen =
        (await readNvidiaSmi(machine, "nvidia-smi")) ??
        (devices.includes("dxg") ? await readNvidiaSmi(machine, "/usr/lib/wsl/lib/nvidia-smi") : undefined);
      if (seen && seen.length > 0) return seen;
    }
    const fromDriver = await detectByDriverFiles(machine);
    if (fromDriver.length > 0) return fromDriver;
    const tegra = await detectTegra(machine);
    if (tegra.length > 0) return tegra;
    return Promise.all(
      cards.map(async (card) => ({
        name: await namePciDevice(machine, card),
        vendor: "NVIDIA",
        kind: "gpu" as const,
        seenBy: card.seenBy,
      })),
    );
  },

  async usable(devices, machine) {
    if (devices.length === 0) return { usable: false, reason: "no NVIDIA GPU was found" };
    const state = await readProviderState(machine, cuda.executionProvider);
    if (machine.platform === "linux" && devices.every(({ seenBy }) => seenBy.startsWith("/sys/bus/pci"))) {
      return {
        usable: false,
        reason:
          "an NVIDIA GPU is on the bus, but its driver does not answer; install the NVIDIA driver, or hand the GPU to the container (docker run --gpus all)",
      };
    }
    if (machine.platform !== "linux" || machine.arch !== "x64") {
      const other =
        machine.platform === "win32" ? "; DirectML and WebGPU are what this runtime has for it" : "";
      return {
        usable: false,
        reason: `the runtime that is installed has no CUDA provider for ${machine.platform} ${machine.arch}: its package has one for linux x64 only${other}`,
      };
    }
    if (!(await providerFilePresent(machine))) {
      return {
        usable: false,
        reason: `the runtime that is installed has no CUDA provider (${PROVIDER_FILE} is not beside the library); hfms installs without it because it is a large download from another host; fetch it with \`ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js\`, and install CUDA 12 with cuDNN 9`,
      };
    }
    // A session that runs proves more than the linker's cache, which knows nothing of LD_LIBRARY_PATH.
    if (state.driven) return judgeInstalled(state, "CUDA");
    const missing = await missingCudaLibraries(machine);
    if (missing.length > 0) {
      return {
        usable: false,
        reason: `the CUDA provider is installed, but the dynamic linker doesn't find ${missing.join(" and ")}; install CUDA 12 with cuDNN 9, or add their folder to LD_LIBRARY_PATH`,
      };
    }
    return judgeInstalled(state, "CUDA");
  },
};

async function detectOnWindows(machine: Machine): Promise<DetectedDevice[]> {
  const seen = await readNvidiaSmi(machine, "C:\\Windows\\System32\\nvidia-smi.exe");
  if (seen && seen.length > 0) return seen;
  const adapters = await readWindowsAdapters(machine, "gpu");
  return adapters
    .filter(({ vendorId }) => vendorId === pciVendors.nvidia)
    .map(({ vendorId: _vendorId, ...adapter }) => ({ ...adapter, vendor: "NVIDIA" }));
}

/** Images without nvidia-smi still show the driver's own files. */
async function detectByDriverFiles(machine: Machine): Promise<DetectedDevice[]> {
  const folder = "/proc/driver/nvidia";
  const [version, slots] = await Promise.all([
    machine.readFile(`${folder}/version`),
    machine.readDir(`${folder}/gpus`),
  ]);
  const driver = parseNvidiaDriverVersion(version ?? "");
  const texts = await Promise.all(
    slots.map((slot) => machine.readFile(`${folder}/gpus/${slot}/information`)),
  );
  return texts.flatMap((text, index) => {
    const name = /^Model:\s+(.+?)\s*$/m.exec(text ?? "")?.[1];
    if (name === undefined) return [];
    return [
      { name, vendor: "NVIDIA", kind: "gpu" as const, driver, seenBy: `${folder}/gpus/${slots[index]}` },
    ];
  });
}

/** "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03 …", or "… Open Kernel Module for x86_64  550.54.14 …". */
export function parseNvidiaDriverVersion(text: string): string | undefined {
  return /Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+)+)/.exec(text)?.[1];
}

/** Jetson boards have no PCI card and, before JetPack 6, no nvidia-smi; their GPU shares the machine's memory. */
async function detectTegra(machine: Machine): Promise<DetectedDevice[]> {
  const [compatible, model] = await Promise.all([
    machine.readFile("/proc/device-tree/compatible"),
    machine.readFile("/proc/device-tree/model"),
  ]);
  if (!/nvidia,tegra/.test(compatible ?? "")) return [];
  const name = model?.replaceAll("\0", "").trim() || "NVIDIA Tegra";
  return [
    {
      name,
      vendor: "NVIDIA",
      kind: "gpu",
      memoryTotal: machine.os().memoryTotal,
      memoryFree: machine.os().memoryFree,
      seenBy: "/proc/device-tree",
    },
  ];
}

async function providerFilePresent(machine: Machine): Promise<boolean> {
  const runtime = await machine.runtimeLibrary();
  return (
    runtime !== undefined && (await machine.readDir(path.dirname(runtime.library))).includes(PROVIDER_FILE)
  );
}

async function missingCudaLibraries(machine: Machine): Promise<string[]> {
  const [cache, toolkit] = await Promise.all([
    machine.run("/sbin/ldconfig", ["-p"]),
    machine.readDir("/usr/local/cuda/lib64"),
  ]);
  // musl systems have no cache to ask: then the session itself has to tell.
  if (cache === undefined) return [];
  const known = `${cache}\n${toolkit.join("\n")}`;
  return CUDA_LIBRARIES.filter(({ file }) => !file.test(known)).map(({ name }) => name);
}
