import { createMachine } from "./hardware/machine.js";
import { type DeviceChoice, selectDeviceAtStart } from "./hardware/select.js";
import type { Machine } from "./hardware/types.js";
import type { ModelRef } from "./hub/types.js";
import type { ModelChoice } from "./requests.js";
import { chooseModel } from "./skills/chosen-model.js";
import type { Registry } from "./skills/registry.js";

/** What a request's choice of a model comes down to on this machine, found without asking anybody. */
export interface ModelIdentity {
  /** The same for all choices that load the same model: skill, alias and id, `auto` and nothing said. */
  key: string;
  ref: ModelRef;
  device: DeviceChoice;
  machine: Machine;
  /** Texts to put before an input, by name, that the skill knows of. */
  prompts: Record<string, string>;
}

/** Throws what a wrong name or a device that is required and not there throws. */
export async function identifyModel(registry: Registry, choice: ModelChoice): Promise<ModelIdentity> {
  const machine = createMachine({ executionProviders: async () => [], runtimeDevices: async () => [] });
  const [{ ref, prompts }, device] = [resolve(registry, choice), await selectDeviceAtStart(machine, choice)];
  const { dtype = "auto", source = "auto", kvCacheDtype = "auto" } = choice;
  const cache = kvCacheDtype === "auto" ? "fp32" : kvCacheDtype;
  const facts = [ref.id, ref.revision ?? "", ref.quant ?? "", dtype, cache, device.device, source];
  const key = JSON.stringify(facts);
  return { key, ref, device, machine, prompts };
}

/** What names a model, of a choice. */
export type NamedModel = Pick<ModelChoice, "model" | "revision" | "allowPaths">;

/** What a typed name means: the repository, its revision, and the packages that also carry it. */
export function modelRef(registry: Registry, choice: NamedModel): ModelRef {
  return resolve(registry, choice).ref;
}

function resolve(registry: Registry, choice: NamedModel): Pick<ModelIdentity, "ref" | "prompts"> {
  const chosen = chooseModel(registry, choice.model, { allowPaths: choice.allowPaths });
  if (chosen.kind !== "hub") return { ref: { id: chosen.path, revision: choice.revision }, prompts: {} };
  const { id, quant, model } = chosen;
  const revision = choice.revision ?? chosen.revision;
  return { ref: { id, revision, quant, packages: model?.packages }, prompts: model?.prompts ?? {} };
}
