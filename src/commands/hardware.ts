import { BaseCommand } from "../cli/base-command.js";
import { renderFacts } from "../cli/facts.js";
import { write } from "../cli/output.js";
import { styled } from "../cli/style.js";
import { renderTable } from "../cli/table.js";
import { formatBytes } from "../cli/units.js";
import type { BackendReport, DetectedDevice, HardwareReport } from "../core/index.js";

export default class Hardware extends BaseCommand {
  static override summary = "show devices and memory, and what hfms can use of them";
  static override description =
    "A device that is seen and a provider that can drive it are two things: the table says both, and why a provider is not usable.";
  static override examples = ["<%= config.bin %> hardware", "<%= config.bin %> hardware --json"];

  async run(): Promise<HardwareReport> {
    await this.parse(Hardware);
    await using engine = await this.openEngine();
    const report = await engine.hardware();
    if (!this.jsonEnabled()) await write(`${await renderHardware(report)}\n`);
    return report;
  }
}

async function renderHardware(report: HardwareReport): Promise<string> {
  const { cpu, memory, runtime, selected } = report;
  const facts = renderFacts(
    [
      ["processor", `${cpu.name}, ${cpu.cores} cores, ${cpu.threads} threads for this process`],
      ["instructions", cpu.instructionSets.join(" ")],
      [
        "memory",
        `${formatBytes(memory.free)} free of ${formatBytes(memory.total)}${memory.limitedBy === "cgroup" ? " (the container's limit)" : ""}`,
      ],
      ["platform", `${report.platform} ${report.arch}`],
      ["runtime", `ONNX Runtime ${runtime.version}`],
      ["auto takes", `${selected.device}: ${selected.reason}`],
    ],
    process.stdout,
  );
  const table = await renderTable(
    [
      { title: "DEVICE" },
      { title: "USABLE" },
      { title: "SEEN", wrap: true },
      { title: "MEMORY", wrap: true },
      { title: "WHY", wrap: true },
    ],
    report.backends.map((backend) => [
      backend.backend,
      backend.usable ? styled("green", "yes", process.stdout) : styled("red", "no", process.stdout),
      backend.devices.map(describe).join("\n") || "nothing",
      memoryOf(backend),
      backend.reason,
    ]),
    process.stdout,
  );
  return `${facts}\n\n${table}`;
}

function describe({ name, computeCapability, driver }: DetectedDevice): string {
  const details = [computeCapability, driver && `driver ${driver}`].filter(Boolean).join(", ");
  return details ? `${name} (${details})` : name;
}

function memoryOf({ devices }: BackendReport): string {
  return devices
    .map(({ memoryFree, memoryTotal }) => {
      if (memoryTotal === undefined) return "";
      const total = formatBytes(memoryTotal);
      return memoryFree === undefined ? total : `${formatBytes(memoryFree)} free of ${total}`;
    })
    .join("\n");
}
