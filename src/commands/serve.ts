import { stripVTControlCharacters } from "node:util";
import * as Args from "@oclif/core/args";
import * as Flags from "@oclif/core/flags";
import { BaseCommand } from "../cli/base-command.js";
import { renderFacts } from "../cli/facts.js";
import { toJson } from "../cli/json.js";
import { write } from "../cli/output.js";
import { settingFlags, settingValues } from "../cli/setting-flags.js";
import { styled } from "../cli/style.js";
import { renderTable } from "../cli/table.js";
import { Engine, type ReadyEvent, readConfig, serverEnvironment } from "../core/index.js";
import { shownValue } from "../server/config/allowed-values.js";
import { presetNames } from "../server/config/presets.js";
import type { DescribedSetting, ReadServerConfig } from "../server/config/server-config.js";
import { settings } from "../server/config/settings.js";
import type { RunningServer } from "../server/index.js";

const { models: modelsSetting, ...flagged } = settings;

export default class Serve extends BaseCommand {
  static override summary = "answer OpenAI clients over HTTP";
  static override description =
    `Listens on http://127.0.0.1:8000, where any client of the OpenAI API can use the models of this machine. Models are loaded when a request names them; MODELS are loaded at once and stay.

Every flag is also a variable HF_SERVER_… and a setting of hfms.config.json or hfms.config.ts: --print-config shows all of them and where each value comes from. The first Ctrl-C or SIGTERM lets answers end, a second one ends at once.`;
  static override examples = [
    "<%= config.bin %> serve",
    "<%= config.bin %> serve smollm2 minilm --keep-alive forever",
    "<%= config.bin %> serve --preset production --host 0.0.0.0 --print-config",
  ];
  static override args = {
    models: Args.string({
      multiple: true,
      ignoreStdin: true,
      description: `skill, alias, Hub id, folder or .gguf file; ${modelsSetting.summary}`,
    }),
  };
  static override flags = {
    config: Flags.string({
      helpValue: "<file>",
      summary: "config file; default hfms.config.json or hfms.config.ts in the working directory",
    }),
    preset: Flags.string({
      options: [...presetNames],
      helpValue: "<name>",
      summary: "what the settings are where nothing else says it; default development",
    }),
    "print-config": Flags.boolean({
      summary: "show every setting, its value and where that came from, and serve nothing",
    }),
    ...settingFlags(flagged, (name) => shownValue(name, settings[name].default)),
  };

  async run(): Promise<PrintedConfig | undefined> {
    const { args, flags } = await this.parse(Serve);
    const { readServerConfig } = await import("../server/config/server-config.js");
    const read = await readServerConfig({
      flags: {
        ...settingValues(flagged, flags),
        preset: flags.preset,
        models: args.models as string[] | undefined,
      },
      file: flags.config,
      cwd: process.cwd(),
      env: serverEnvironment(),
    });
    if (flags["print-config"]) return this.printConfig(read);
    await this.serve(read);
    return undefined;
  }

  private async printConfig(read: ReadServerConfig): Promise<PrintedConfig> {
    const { describeConfig } = await import("../server/config/server-config.js");
    const described = describeConfig(read);
    if (!this.jsonEnabled()) await write(`${await renderConfig(read, described)}\n`);
    return { preset: read.preset, file: read.file, settings: described };
  }

  private async serve({ config }: ReadServerConfig): Promise<void> {
    this.signal.throwIfAborted();
    const stopped = new Promise<NodeJS.Signals>((resolve) => this.endsBy(resolve));
    const [{ openLog, serve }, { openKeyStore }] = await Promise.all([
      import("../server/index.js"),
      import("../server/keys/key-store.js"),
    ]);
    const log = await openLog(config);
    // Between lines of JSON there must be no others.
    const say = (text: string) => {
      if (config.logFormat === "json") log.say(stripVTControlCharacters(text));
      else if (!this.display.quiet) this.display.line(text);
    };
    await using keys = await openKeyStore(config, {
      onProblem: (error) => say(`${(error as Error).message}; the keys that were valid stay valid`),
    });
    const engineConfig = { ...readConfig(), keepAlive: config.keepAlive };
    await using engine = await Engine.open(engineConfig, { isolation: "process" });
    const server = await serve(engine, config, {
      keys,
      log,
      onLoad: (event) => {
        if (event.type === "ready") say(loadedLine(event));
        else if (config.logFormat === "json") event.type === "notice" && log.say(event.message);
        else if (event.type === "notice") this.display.notice(event.message);
        else this.display.progress(event);
      },
    });
    say(
      config.logFormat === "json" ? `listening on ${server.url}` : listeningLines(server, config, keys.empty),
    );
    if (this.jsonEnabled()) await write(`${toJson({ url: server.url, urls: server.urls })}\n`);
    try {
      const signal = await Promise.race([stopped, server.ready.then(() => stopped)]);
      say(stoppingLine(signal, server, config.drainTimeout));
    } finally {
      await server.close({ drain: true });
    }
  }
}

interface PrintedConfig {
  preset: string;
  file?: string;
  settings: DescribedSetting[];
}

async function renderConfig(
  { preset, file }: ReadServerConfig,
  described: DescribedSetting[],
): Promise<string> {
  const table = await renderTable(
    [
      { title: "SETTING" },
      { title: "VALUE", wrap: true },
      { title: "FROM", wrap: true },
      { title: "VARIABLE", optional: true },
    ],
    described.map(({ name, shown, origin, env }) => [
      name,
      shown,
      origin === "default" ? styled("dim", origin, process.stdout) : origin,
      env,
    ]),
    process.stdout,
  );
  const facts = renderFacts(
    [
      ["preset", preset],
      ["config file", file ?? "none"],
    ],
    process.stdout,
  );
  return `${facts}\n\n${table}`;
}

function loadedLine({ model, dtype, device }: ReadyEvent): string {
  return `${styled("green", "loaded", process.stderr)} ${model} (${dtype}, ${device})`;
}

function listeningLines(
  { url, urls }: RunningServer,
  { page, insecure, host }: ReadServerConfig["config"],
  open: boolean,
): string {
  const facts: [string, string | undefined][] = [
    ["listening on", styled("cyan", url, process.stderr)],
    ["", urls.filter((other) => other !== url).join(" ")],
    ["for clients", `base URL ${url}/v1, described at ${url}/docs`],
    ["page", page ? `${url}/` : undefined],
    [
      "API key",
      open ? (insecure ? `none: everybody who reaches ${host} may use this` : "none is needed") : "needed",
    ],
  ];
  return renderFacts(facts, process.stderr);
}

function stoppingLine(signal: NodeJS.Signals, { server }: RunningServer, drainTimeout: number): string {
  const running = server.context.activities.active.length;
  const again = signal === "SIGINT" ? "; Ctrl-C again ends at once" : "";
  if (running === 0) return "stopping";
  const answers = running === 1 ? "1 answer" : `${running} answers`;
  return `stopping: ${answers} may go on for ${Math.round(drainTimeout / 1000)} s${again}`;
}
