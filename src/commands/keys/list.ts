import { BaseCommand } from "../../cli/base-command.js";
import { keyFileFlags } from "../../cli/key-file-flags.js";
import { write } from "../../cli/output.js";
import { renderTable } from "../../cli/table.js";
import { formatAge } from "../../cli/units.js";
import { serverEnvironment } from "../../core/index.js";
import type { StoredKey } from "../../server/keys/key-store.js";

export default class KeysList extends BaseCommand {
  static override summary = "show the API keys of `hfms serve`";
  static override description =
    "Shows how each key begins, what it allows, and when a server last saw it. Keys that the server gets by flag or variable are not in the file, and not shown.";
  static override examples = ["<%= config.bin %> keys list", "<%= config.bin %> keys list --json"];
  static override flags = keyFileFlags;

  async run(): Promise<{ file: string; keys: StoredKey[] }> {
    const { flags } = await this.parse(KeysList);
    const { configuredKeyFile } = await import("../../server/keys/key-file.js");
    const file = await configuredKeyFile({
      keyFile: flags["key-file"],
      file: flags.config,
      cwd: process.cwd(),
      env: serverEnvironment(),
    });
    const keys = await file.list();
    if (!this.jsonEnabled()) {
      if (keys.length > 0) await write(`${await renderKeys(keys)}\n`);
      else this.display.line("no API keys: servers let everybody in; `hfms keys create` makes one");
    }
    return { file: file.path, keys };
  }
}

function renderKeys(keys: StoredKey[]): Promise<string> {
  const now = new Date();
  return renderTable(
    [
      { title: "NAME", wrap: true },
      { title: "ID" },
      { title: "KEY" },
      { title: "ALLOWS" },
      { title: "MADE", optional: true },
      { title: "USED", optional: true },
    ],
    keys.map(({ name, id, hint, scopes, created, lastUsed }) => [
      name,
      id,
      hint,
      scopes.join(", "),
      formatAge(new Date(created), now),
      lastUsed ? formatAge(new Date(lastUsed), now) : "never",
    ]),
    process.stdout,
  );
}
