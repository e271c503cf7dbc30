import { HfmsError } from "../errors.js";

/**
 * What a user typed where a model is asked for. Only the words are judged here, neither the disk nor the registry:
 * `gpt2` is a name, `models/mine` could be a Hub id or a folder (its kind is `hub`; whoever can look at the disk decides).
 */
export type ModelName =
  | { kind: "name"; name: string; tag?: string; revision?: string }
  | { kind: "hub"; id: string; quant?: string; revision?: string }
  | { kind: "directory"; path: string }
  | { kind: "gguf"; path: string };

const MAX_LENGTH = 4096;
/** huggingface_hub's limits (validate_repo_id). */
const MAX_PART = 96;

/**
 * Parses a skill or alias (`hf_gpt2`, `smollm2:360m`), a Hub id (`org/name[@revision][:quant]`, also as a hf.co address),
 * a directory, or a `.gguf` file. Throws invalid_request with the reason; an accepted id, tag or revision can't leave
 * the folder it is put into.
 */
export function parseModelName(typed: string): ModelName {
  const text = typed.trim();
  if (text === "") throw invalid(typed, "it is empty");
  if (text.length > MAX_LENGTH)
    throw invalid(`${text.slice(0, 40)}…`, `it is longer than ${MAX_LENGTH} characters`);
  if (hasControlCharacter(text)) throw invalid(typed, "it has a control character");
  const address = fromHubAddress(text);
  if (address) return parseHub(address, typed);
  if (/\.gguf$/i.test(text) && !/^[a-z][a-z+.-]+:\/\//i.test(text)) return { kind: "gguf", path: text };
  if (isPath(text)) return { kind: "directory", path: text };
  if (/^[a-z][a-z+.-]+:\/\//i.test(text)) throw invalid(typed, "only addresses of the Hub are understood");
  const { body } = split(text);
  if (body.split("/").length > 2) return toDirectory(text, typed);
  return body.includes("/") ? parseHub(text, typed) : parseBareName(text, typed);
}

/** Paths that say so: ./x ../x /x ~/x x/ and Windows' .\x C:\x \\server\share. */
function isPath(text: string): boolean {
  return (
    /^(~|\.|\.\.)$/.test(text) ||
    /^(~|\.|\.\.)?[/\\]/.test(text) ||
    /^[a-z]:[/\\]/i.test(text) ||
    text.includes("\\") ||
    text.endsWith("/")
  );
}

/** `a/b/c`: too many parts for a Hub id, so a relative folder. `..` in the middle of one is never meant. */
function toDirectory(text: string, typed: string): ModelName {
  if (text.split("/").includes("..")) throw invalid(typed, "begin a path with ./ or ../");
  return { kind: "directory", path: text };
}

/** https://huggingface.co/org/name/tree/revision → org/name@revision */
function fromHubAddress(text: string): string | undefined {
  const match = /^(?:https?:\/\/)?(?:www\.)?(?:huggingface\.co|hf\.co)\/([^?#]+)/i.exec(text);
  if (!match) return undefined;
  const [org, name, page, ...rest] = match[1].replace(/\/+$/, "").split("/");
  if (org === "datasets" || org === "spaces") throw invalid(text, `it is the address of one of the ${org}`);
  if (page === "blob" || page === "resolve") {
    throw invalid(
      text,
      `it is the address of a file: give ${org}/${name}, and :Q4_0 or the like for one of its GGUF files`,
    );
  }
  const id = name === undefined ? org : `${org}/${name}`;
  return page === "tree" && rest.length > 0 ? `${id}@${rest.join("/")}` : id;
}

function parseHub(text: string, typed: string): ModelName {
  const { body, revision, tag } = split(text);
  const parts = body.split("/");
  for (const part of parts) checkPart(part, typed);
  checkRevision(revision, typed);
  checkTag(tag, typed);
  if (parts.length === 1) return named({ kind: "name", name: body, tag, revision });
  return named({ kind: "hub", id: body, quant: tag, revision });
}

function parseBareName(text: string, typed: string): ModelName {
  const { body, revision, tag } = split(text);
  checkPart(body, typed);
  checkRevision(revision, typed);
  checkTag(tag, typed);
  return named({ kind: "name", name: body, tag, revision });
}

/** `id@revision:tag`. A revision has no colon (git forbids it), so the last colon begins the tag. */
function split(text: string): { body: string; revision?: string; tag?: string } {
  const at = text.indexOf("@");
  const colon = text.lastIndexOf(":");
  const end = colon === -1 ? text.length : colon;
  const tag = colon === -1 ? undefined : text.slice(colon + 1);
  if (at === -1 || at > end) return { body: text.slice(0, end), tag };
  return { body: text.slice(0, at), revision: text.slice(at + 1, end), tag };
}

function checkPart(part: string, typed: string): void {
  if (part === "") throw invalid(typed, "a Hub id is org/name");
  if (part.length > MAX_PART)
    throw invalid(typed, `"${part.slice(0, 20)}…" is longer than ${MAX_PART} characters`);
  if (!/^[\w.-]+$/.test(part)) throw invalid(typed, `"${part}" may have letters, digits, - _ and . only`);
  if (/^[.-]|[.-]$/.test(part)) throw invalid(typed, `"${part}" may not begin or end with . or -`);
  if (part.includes("..") || part.includes("--")) throw invalid(typed, `"${part}" may not have .. or --`);
  if (/\.git$/i.test(part)) throw invalid(typed, `"${part}" may not end in .git`);
}

/** git's rules for a branch, tag or commit, as far as a path is built from it. */
function checkRevision(revision: string | undefined, typed: string): void {
  if (revision === undefined) return;
  if (revision === "") throw invalid(typed, "no revision stands after @");
  if (revision.length > 255) throw invalid(typed, "its revision is longer than 255 characters");
  if (!/^[\w][\w./+-]*$/.test(revision) || /\.\.|\/\/|\/\.|\.\/|[/.]$/.test(revision)) {
    throw invalid(typed, `"${revision}" is no branch, tag or commit`);
  }
}

function checkTag(tag: string | undefined, typed: string): void {
  if (tag === undefined) return;
  if (tag === "") throw invalid(typed, "nothing stands after the colon");
  if (!/^\w[\w.-]{0,63}$/.test(tag) || tag.includes("..")) {
    throw invalid(typed, `"${tag}" is neither a size nor a quantization`);
  }
}

/** Without keys whose value is undefined, so that results compare and print plainly. */
function named<T extends ModelName>(name: T): T {
  return Object.fromEntries(Object.entries(name).filter(([, value]) => value !== undefined)) as T;
}

function hasControlCharacter(text: string): boolean {
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code < 32 || code === 127) return true;
  }
  return false;
}

function invalid(typed: string, reason: string): HfmsError {
  return new HfmsError("invalid_request", `${JSON.stringify(typed)} is not a model's name: ${reason}`, {
    hint: "give a skill or alias (smollm2), a Hub id (org/name), a folder (./model) or a .gguf file; see `hfms discover`",
    param: "model",
  });
}
