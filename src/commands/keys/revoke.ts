import * as Args from "@oclif/core/args";
import * as Flags from "@oclif/core/flags";
import { BaseCommand } from "../../cli/base-command.js";
import { confirmed, refuseUnattended } from "../../cli/confirmation.js";
import { keyFileFlags } from "../../cli/key-file-flags.js";
import { write } from "../../cli/output.js";
import { serverEnvironment } from "../../core/index.js";
import type { StoredKey } from "../../server/keys/key-store.js";

export default class KeysRevoke extends BaseCommand {
  static override summary = "take API keys of `hfms serve` away";
  static override description =
    "Running servers refuse a revoked key within a second. When the last one is gone they let nobody in; only a server that is started without keys is open.";
  static override examples = [
    "<%= config.bin %> keys revoke laptop",
    "<%= config.bin %> keys revoke ci --yes",
  ];
  static override args = {
    keys: Args.string({
      required: true,
      multiple: true,
      ignoreStdin: true,
      description: "names or ids as `hfms keys list` shows them",
    }),
  };
  static override flags = {
    yes: Flags.boolean({ char: "y", summary: "don't ask" }),
    ...keyFileFlags,
  };

  async run(): Promise<{ revoked: StoredKey[] }> {
    const { args, flags } = await this.parse(KeysRevoke);
    if (!flags.yes) refuseUnattended("the revocation");
    const { configuredKeyFile } = await import("../../server/keys/key-file.js");
    const file = await configuredKeyFile({
      keyFile: flags["key-file"],
      file: flags.config,
      cwd: process.cwd(),
      env: serverEnvironment(),
    });
    const found = await file.find(args.keys as string[]);
    const question = `Revoke ${found.map(({ name, hint }) => `${name} (${hint})`).join(", ")}?`;
    if (!flags.yes && !(await confirmed(question, this.signal))) {
      this.display.line("nothing was revoked");
      return { revoked: [] };
    }
    await file.revoke(found.map(({ id }) => id));
    if (!this.jsonEnabled()) {
      for (const { name, id } of found) await write(`revoked ${name} (${id})\n`);
    }
    return { revoked: found };
  }
}
