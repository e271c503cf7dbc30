#!/usr/bin/env node
// Runs the sources without a build.
import { readFileSync } from "node:fs";
import "./sources.js";

const root = new URL("..", import.meta.url);
const pjson = JSON.parse(readFileSync(new URL("package.json", root), "utf8"));
Object.assign(pjson.oclif, { commands: "./src/commands", helpClass: "./src/cli/help.ts" });

const { main } = await import("../src/cli/main.ts");
await main({ root, pjson, ignoreManifest: true });
