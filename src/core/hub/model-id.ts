import path from "node:path";
import { HfmsError } from "../errors.js";

export interface ModelId {
  id: string;
  revision?: string;
  quant?: string;
}

/** Takes `org/name[@revision][:quant]` apart and refuses what could not be a Hub id (rules of huggingface_hub). */
export function parseModelId(text: string): ModelId {
  const match = /^([^@:]+)(?:@([^:]+))?(?::([\w.-]+))?$/.exec(text);
  const [, id, revision, quant] = match ?? [];
  if (!id || !isHubId(id)) {
    throw new HfmsError("model_not_found", `"${printable(text)}" is not a model name of the Hub`, {
      hint: "a name is `organisation/name`, optionally with `@revision` and, for GGUF, `:quant`; a path starts with `/` or `./`",
      param: "model",
    });
  }
  return { id, revision: revision === undefined ? undefined : checkRevision(revision), quant };
}

const MAX_ID_LENGTH = 96;

function isHubId(id: string): boolean {
  const part = /^[A-Za-z0-9_](?:[\w.-]*[\w])?$/;
  const parts = id.split("/");
  return (
    id.length <= MAX_ID_LENGTH &&
    parts.length <= 2 &&
    parts.every((name) => part.test(name)) &&
    !id.includes("--") &&
    !id.includes("..") &&
    !id.endsWith(".git")
  );
}

/** A branch, tag or commit. It becomes a path below refs/, so what git forbids in a name is refused here too. */
export function checkRevision(revision: string): string {
  const safe =
    revision.length > 0 &&
    revision.length <= 200 &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: git forbids control characters in names
    !/[\u0000-\u0020\u007f~^:?*[\\%]/.test(revision) &&
    !revision.endsWith(".lock") &&
    revision.split("/").every((part) => part !== "" && !part.startsWith(".") && !part.endsWith("."));
  if (!safe) {
    throw new HfmsError("revision_not_found", `"${printable(revision)}" is not a branch, tag or commit`, {
      param: "revision",
    });
  }
  return revision;
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

/** File names come from a server or an archive: only plain relative paths with forward slashes go on. */
export function isSafeFilePath(name: string): boolean {
  return (
    name.length > 0 &&
    name.length <= 1024 &&
    // biome-ignore lint/suspicious/noControlCharactersInRegex: NUL and its like end or garble a path
    !/[\u0000-\u001f\\]/.test(name) &&
    !/^[A-Za-z]:/.test(name) &&
    !path.posix.isAbsolute(name) &&
    name.split("/").every((part) => part !== "" && part !== "." && part !== "..")
  );
}

/** `models--org--name`, the folder of a model in the Hub cache. */
export function repositoryFolder(id: string): string {
  return `models--${id.replaceAll("/", "--")}`;
}

/** For messages: a name from outside without what could confuse a terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is removed
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, "?").slice(0, 200);
}
