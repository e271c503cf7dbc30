import * as Flags from "@oclif/core/flags";

/** Which file of API keys a command works on. */
export const keyFileFlags = {
  "key-file": Flags.string({
    helpValue: "<file>",
    summary: "file of the keys; default the one that `hfms serve` takes in this folder",
  }),
  config: Flags.string({ helpValue: "<file>", summary: "config file of the server that names the key file" }),
};
