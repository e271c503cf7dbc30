import { execFileSync } from "node:child_process";

/** The command-line tests run the built program, so the build must be of the sources that are tested. */
export default function setup(): void {
  execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.json"], { stdio: "inherit" });
}
