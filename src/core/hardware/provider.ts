import type { Machine } from "./types.js";

export interface ProviderState {
  /** The library has the provider built in, or a plugin brought it. */
  installed: boolean;
  /** hfms opens sessions on it. */
  driven: boolean;
}

/**
 * How far the installed runtime is with a provider. Providers that come as plugins are not in the library's list of
 * providers, only in its list of devices. And the list is the compiler's: on linux x64 it names CUDA, whose code is in
 * a file of its own, so cuda.ts looks for that as well.
 */
export async function readProviderState(machine: Machine, executionProvider: string): Promise<ProviderState> {
  const [built, devices, sessions] = await Promise.all([
    machine.executionProviders(),
    machine.runtimeDevices(),
    machine.sessionProviders(),
  ]);
  const installed =
    built.includes(executionProvider) ||
    devices.some((device) => device.executionProvider === executionProvider);
  return { installed, driven: installed && sessions.includes(executionProvider) };
}

/** The last word of every backend whose device is there and whose provider is installed. */
export function judgeInstalled(
  { driven }: ProviderState,
  title: string,
): { usable: boolean; reason: string } {
  return driven
    ? { usable: true, reason: `the installed runtime has the ${title} provider and hfms runs on it` }
    : {
        usable: false,
        reason: `the installed runtime has the ${title} provider, but this release of hfms runs its graphs on the CPU only`,
      };
}
