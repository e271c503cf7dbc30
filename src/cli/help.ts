import { type CommandHelp, Help } from "@oclif/core/help";
import { HfmsCommandHelp } from "./command-help.js";
import { rootHelp } from "./root-help.js";

/** oclif's help with hfms's own pages. package.json names it as `helpClass`. */
export default class HfmsHelp extends Help {
  protected override CommandHelpClass: typeof CommandHelp = HfmsCommandHelp;

  protected override async showRootHelp(): Promise<void> {
    this.log(await rootHelp(this.config.root));
  }
}
