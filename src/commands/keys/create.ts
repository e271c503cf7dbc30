import * as Flags from "@oclif/core/flags";
import { BaseCommand } from "../../cli/base-command.js";
import { keyFileFlags } from "../../cli/key-file-flags.js";
import { write } from "../../cli/output.js";
import { serverEnvironment } from "../../core/index.js";
import type { StoredKey } from "../../server/keys/key-store.js";

export default class KeysCreate extends BaseCommand {
  static override summary = "make an API key for `hfms serve`";
  static override description =
    `Prints the key once; only a hash of it is kept. As soon as there is a key, running servers want one for every request but the ones for their health.

The scope infer is for requests to models; admin also loads and unloads them and sees what the server does.`;
  static override examples = [
    "<%= config.bin %> keys create --name laptop",
    "<%= config.bin %> keys create --name ci --scope admin --json",
  ];
  static override flags = {
    name: Flags.string({ helpValue: "<name>", summary: "what to call it; default its id" }),
    scope: Flags.option({
      options: ["infer", "admin"] as const,
      multiple: true,
      helpValue: "<scope>",
      summary: "what it allows; may be repeated; default infer",
    })(),
    ...keyFileFlags,
  };

  async run(): Promise<StoredKey & { key: string; file: string }> {
    const { flags } = await this.parse(KeysCreate);
    const { configuredKeyFile } = await import("../../server/keys/key-file.js");
    const file = await configuredKeyFile({
      keyFile: flags["key-file"],
      file: flags.config,
      cwd: process.cwd(),
      env: serverEnvironment(),
    });
    const { key, stored } = await file.create({ name: flags.name, scopes: flags.scope ?? ["infer"] });
    if (!this.jsonEnabled()) {
      await write(`${key}\n`);
      this.display.notice(`key ${stored.name} (${stored.scopes.join(", ")}): it is shown this once`);
    }
    return { key, ...stored, file: file.path };
  }
}
