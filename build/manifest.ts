/**
 * Writes oclif.manifest.json and docs/commands.md from the built commands, and docs/model-types.md from the goldens. With
 * the manifest, `hfms --help` loads no command at all. Run it with `npm run manifest` after a change to a command's flags
 * or texts, or to the list of architectures; tests hold the files to the sources.
 */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Plugin } from "@oclif/core/config";
import { commandReference, type Manifest } from "./command-reference.ts";
import { provenTypes } from "./proven-types.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

export async function buildManifest(): Promise<Manifest> {
  const plugin = new Plugin({
    root,
    type: "core",
    ignoreManifest: true,
    errorOnManifestCreate: true,
    isRoot: true,
    name: "hfms",
  } as ConstructorParameters<typeof Plugin>[0]);
  await plugin.load();
  // What oclif can't write down (functions, undefined) must not make a difference either.
  return JSON.parse(JSON.stringify(plugin.manifest));
}

if (import.meta.main) {
  const manifest = await buildManifest();
  await writeFile(`${root}/oclif.manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`);
  await writeFile(`${root}/docs/commands.md`, commandReference(manifest));
  // The built ones: sources import each other as .js.
  const { architectures } = await import(`${root}/dist/core/models/index.js`);
  await writeFile(`${root}/docs/model-types.md`, await provenTypes(architectures));
}
