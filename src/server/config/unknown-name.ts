import { distance } from "fastest-levenshtein";
import { HfmsError } from "../../core/index.js";

/** The error for a setting that does not exist, with the name that was most likely meant. */
export function unknownName(name: string, known: readonly string[], origin: string): HfmsError {
  const [nearest] = known
    .map((candidate) => ({ candidate, steps: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.steps - b.steps);
  const all = "`hfms serve --help` and docs/serve.md list the settings";
  const near = nearest && nearest.steps <= Math.ceil(name.length / 3);
  return new HfmsError("invalid_config", `unknown setting ${name.slice(0, 100)} (from ${origin})`, {
    hint: near ? `did you mean ${nearest.candidate}? ${all}` : all,
    param: name.slice(0, 100),
  });
}
