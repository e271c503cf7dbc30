import * as Args from "@oclif/core/args";
import * as Flags from "@oclif/core/flags";
import { BaseCommand } from "../cli/base-command.js";
import { write } from "../cli/output.js";
import { styled } from "../cli/style.js";
import { type Column, renderTable } from "../cli/table.js";
import { formatBytes } from "../cli/units.js";
import { type DiscoveredSkill, deviceNames } from "../core/index.js";

export default class Discover extends BaseCommand {
  static override summary = "find skills, and see which of them run here";
  static override description =
    `A skill is a model family and what it can do, under a short name that every command takes. The words of the query are
searched in names, titles, descriptions, tasks and models; without words all skills are listed.`;
  static override examples = [
    "<%= config.bin %> discover",
    "<%= config.bin %> discover chat --runnable --fits",
    "<%= config.bin %> discover --task feature-extraction",
    "<%= config.bin %> discover --architecture llama --json",
  ];
  static override args = {
    query: Args.string({ multiple: true, ignoreStdin: true, description: "words to search for" }),
  };
  static override flags = {
    task: Flags.string({
      char: "t",
      helpValue: "<task>",
      summary: "a task of the Hub, like text-generation",
    }),
    architecture: Flags.string({
      char: "a",
      helpValue: "<type>",
      summary: "a model type, like llama or bert",
    }),
    hardware: Flags.option({
      options: deviceNames,
      helpValue: "<device>",
      summary: "only skills that can use this hardware",
    })(),
    model: Flags.string({ char: "m", helpValue: "<model>", summary: "only skills with this model" }),
    fits: Flags.boolean({ summary: "only what fits into this machine's memory" }),
    runnable: Flags.boolean({ char: "r", summary: "only what this build can run here" }),
  };

  async run(): Promise<{ skills: DiscoveredSkill[] }> {
    const { args, flags } = await this.parse(Discover);
    await using engine = await this.openEngine();
    const words = args.query as string[] | undefined;
    const skills = await engine.discover({
      text: words?.join(" "),
      task: flags.task,
      architecture: flags.architecture,
      hardware: flags.hardware,
      model: flags.model,
      fits: flags.fits || undefined,
      runnable: flags.runnable || undefined,
    });
    if (!this.jsonEnabled()) {
      if (skills.length > 0) await write(`${await renderSkills(skills, words !== undefined)}\n`);
      else this.display.line("no skill matches; `hfms discover` without words lists all");
    }
    return { skills };
  }
}

/** Into a pipe one skill is one line; on a terminal a list of all is too long for that, and comes by task. */
async function renderSkills(skills: DiscoveredSkill[], ranked: boolean): Promise<string> {
  const { stdout } = process;
  const grouped = stdout.isTTY && !ranked && skills.length > 20;
  const columns: Column[] = [
    { title: "SKILL" },
    { title: "WHAT", wrap: true, optional: true },
    ...(grouped ? [] : [{ title: "TASKS", wrap: true }]),
    { title: "DEFAULT MODEL", wrap: true },
    { title: "MEMORY", align: "right" },
    { title: "RUNS HERE", wrap: true },
  ];
  const cells = ({ skill, runnable, memory, fits }: DiscoveredSkill) => [
    skill.name,
    skill.title,
    ...(grouped ? [] : [skill.tasks.join(", ")]),
    skill.models[0].id,
    memory === undefined ? "?" : formatBytes(memory),
    !runnable.yes
      ? styled("red", `no: ${runnable.reason}`, stdout)
      : fits === false
        ? styled("yellow", "too big for the memory", stdout)
        : styled("green", "yes", stdout),
  ];
  const heading = (text: string) => columns.map((_, i) => (i === 0 ? styled("bold", text, stdout) : ""));
  const rows = grouped
    ? byMainTask(skills).flatMap(([task, found]) => [
        heading(""),
        heading(`${task}: ${found.length}`),
        ...found.map(cells),
      ])
    : skills.map(cells);
  const table = await renderTable(columns, rows, stdout);
  const running = skills.filter(({ runnable, fits }) => runnable.yes && fits !== false).length;
  const hint = grouped ? "; `hfms discover WORDS` searches, `--task` narrows" : "";
  return `${table}\n\n${skills.length} ${skills.length === 1 ? "skill" : "skills"}, ${running} can run here${hint}`;
}

/** The largest group first. */
function byMainTask(skills: DiscoveredSkill[]): [string, DiscoveredSkill[]][] {
  const groups = Object.groupBy(skills, ({ skill }) => skill.tasks[0]);
  const found = Object.entries(groups) as [string, DiscoveredSkill[]][];
  return found.sort(([a, ofA], [b, ofB]) => ofB.length - ofA.length || (a < b ? -1 : 1));
}
