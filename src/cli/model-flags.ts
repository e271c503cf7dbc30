import * as Flags from "@oclif/core/flags";
import { deviceNames, dtypes, kvCacheDtypes, type ModelChoice, sourceNames } from "../core/index.js";

const helpGroup = "MODEL";

export const dtypeFlag = Flags.option({
  options: dtypes,
  helpGroup,
  helpValue: "<dtype>",
  summary: "number format of the weights; auto picks by size and measured loss",
});

export const kvCacheDtypeFlag = Flags.option({
  options: kvCacheDtypes,
  helpGroup,
  helpValue: "<dtype>",
  summary: "number format of keys and values; auto is fp32, int8 takes a quarter of the memory",
});

export const originFlags = {
  revision: Flags.string({
    helpGroup,
    helpValue: "<name>",
    summary: "branch, tag or commit on the Hub; default main",
  }),
  source: Flags.option({
    options: ["auto", ...sourceNames] as const,
    helpGroup,
    helpValue: "<source>",
    summary: "where the files come from",
  })(),
};

/** The flags of every command that runs a model. */
export const modelFlags = {
  dtype: dtypeFlag(),
  device: Flags.option({
    options: ["auto", ...deviceNames] as const,
    helpGroup,
    helpValue: "<device>",
    summary: "hardware to run on; auto takes the best that works here",
  })(),
  "require-device": Flags.boolean({
    helpGroup,
    summary: "fail when --device can't be used, instead of falling back to the CPU",
  }),
  ...originFlags,
};

/** The flags' values as the engine's requests name them. */
export function modelChoice(
  model: string,
  flags: {
    dtype?: ModelChoice["dtype"];
    "kv-cache-dtype"?: ModelChoice["kvCacheDtype"];
    device?: ModelChoice["device"];
    "require-device"?: boolean;
    revision?: string;
    source?: ModelChoice["source"];
  },
): ModelChoice {
  return {
    model,
    dtype: flags.dtype,
    kvCacheDtype: flags["kv-cache-dtype"],
    device: flags.device,
    requireDevice: flags["require-device"],
    revision: flags.revision,
    source: flags.source,
  };
}
