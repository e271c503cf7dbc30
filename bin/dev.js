#!/usr/bin/env node
// Runs the sources without a build: Node strips the types, and this maps the `.js` of their imports to the `.ts` beside.
import { existsSync, readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";

registerHooks({
  resolve(specifier, context, next) {
    if (specifier.startsWith(".") && specifier.endsWith(".js") && context.parentURL?.includes("/src/")) {
      const source = new URL(specifier.replace(/\.js$/, ".ts"), context.parentURL);
      if (existsSync(fileURLToPath(source))) return next(source.href, context);
    }
    return next(specifier, context);
  },
});

const root = new URL("..", import.meta.url);
const pjson = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
Object.assign(pjson.oclif, { commands: "./src/commands", helpClass: "./src/cli/help.ts" });

const { main } = await import("../src/cli/main.ts");
await main({ root, pjson, ignoreManifest: true });
