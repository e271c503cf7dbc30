#!/usr/bin/env node
// Only syntax and modules that old Node knows may stand in this file: it must live long enough to say what is wrong.
const wanted = 22;
const major = Number.parseInt(process.versions.node, 10);

if (major < wanted) {
  process.stderr.write(
    `error: hfms needs Node.js ${wanted} or newer, this is ${process.versions.node} (${process.execPath})\n` +
      "hint: install a current Node.js, or run hfms through npx in its own folder, where a current one is installed\n",
  );
  process.exitCode = 1;
} else {
  start();
}

async function start() {
  // Compiled code is kept between runs, which halves the start-up time.
  (await import("node:module")).enableCompileCache();
  const { main } = await import("../dist/cli/main.js");
  await main({ root: new URL("..", import.meta.url) });
}
