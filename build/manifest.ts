/**
 * Writes oclif.manifest.json from the built commands: with it `hfms --help` loads no command at all. Run it with
 * `npm run manifest` after a change to a command's flags or texts; a test holds the file to the sources.
 */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Plugin } from "@oclif/core/config";

const root = fileURLToPath(new URL("..", import.meta.url));

export async function buildManifest(): Promise<string> {
  const plugin = new Plugin({
    root,
    type: "core",
    ignoreManifest: true,
    errorOnManifestCreate: true,
    isRoot: true,
    name: "hfms",
  } as ConstructorParameters<typeof Plugin>[0]);
  await plugin.load();
  return `${JSON.stringify(plugin.manifest, null, 2)}\n`;
}

if (import.meta.main)
  await writeFile(new URL("../oclif.manifest.json", import.meta.url), await buildManifest());
