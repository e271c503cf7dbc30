import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { Parser } from "@oclif/core";
import { describe, expect, it } from "vitest";
import { filesOf, read, root } from "./source-imports.js";

const tracked = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" })
  .split("\0")
  .filter((file) => file && existsSync(path.join(root, file)));
// The cards of the goldens are part of the goldens.
const documents = tracked.filter((file) => file.endsWith(".md") && !/^test\/golden\/.+\//.test(file));

describe("the map in CONTRIBUTING.md", () => {
  const paths = mapOf(read("CONTRIBUTING.md"));

  it("shows only what exists", () => {
    expect(paths.filter((file) => !existsSync(path.join(root, file)))).toEqual([]);
  });

  it("shows every folder of src and every file right in src/core", () => {
    // A dialect's folder has one for each operation: its index.ts lists them.
    const operation = /^src\/server\/dialects\/[^/]+\/[^/]+$/;
    const folders = filesOf("src/**/")
      .filter((folder) => !operation.test(folder))
      .map((folder) => `${folder}/`);
    const files = filesOf("src/core/*.ts");
    expect(folders.length).toBeGreaterThan(10);
    expect([...folders, ...files].filter((file) => !paths.includes(file))).toEqual([]);
  });

  it("shows every folder at the top that is in the repository", () => {
    const folders = tracked.filter((file) => file.includes("/")).map((file) => `${file.split("/")[0]}/`);
    expect([...new Set(folders)].filter((folder) => !paths.includes(folder))).toEqual([]);
  });
});

describe.each(documents)("%s", (file) => {
  const text = read(file);
  const prose = text.replace(/^```[\s\S]*?^```/gm, "");

  it("links only to what exists", () => {
    const links = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]);
    const broken = links.filter((link) => !/^(https?|mailto):/.test(link) && !leadsSomewhere(file, link));
    expect(broken).toEqual([]);
  });

  it("names only files that exist, where it names them from the root", () => {
    const named = [...prose.matchAll(/`((?:src|test|docs|skills|bin|build|bench)\/[\w./-]*(?:\.\w+|\/))`/g)];
    const missing = named.map((match) => match[1]).filter((name) => !existsSync(path.join(root, name)));
    expect(missing).toEqual([]);
  });

  it("shows only commands that hfms understands", async () => {
    for (const words of shownCommands(text)) {
      const file = (depth: number) => path.join(root, `src/commands/${words.slice(0, depth).join("/")}.ts`);
      const depth = [1, 2].find((depth) => existsSync(file(depth)));
      if (depth === undefined) {
        const others = ["--help", "--version", "help", "autocomplete", "<command>"];
        expect(others, `hfms ${words.join(" ")}`).toContain(words[0]);
        continue;
      }
      const argv = words.slice(depth);
      const { default: command } = await import(pathToFileURL(file(depth)).href);
      const flags = { ...command.baseFlags, ...command.flags };
      await Parser.parse(argv, { args: command.args, flags, strict: command.strict });
    }
  });
});

describe("the repository", () => {
  it("has what a stranger looks for", () => {
    for (const file of ["README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"]) {
      expect(tracked).toContain(file);
    }
    expect(read("LICENSE")).toContain("Apache License");
    expect(JSON.parse(read("package.json")).license).toBe("Apache-2.0");
    expect(read("CHANGELOG.md")).toContain(`## ${JSON.parse(read("package.json")).version}`);
  });

  it("begins its README with the two commands that must work as they stand", () => {
    const [first, second] = [...read("README.md").matchAll(/^```sh\n([\s\S]*?)^```/gm)];
    expect(first[1].trim()).toBe('npm ci && npx hfms run smollm2 "What is the capital of France?"');
    expect(second[1].trim()).toBe("npm ci && npm test");
  });

  it("leads to every page of docs from the README", () => {
    const pages = tracked.filter((file) => /^docs\/[^/]+\.md$/.test(file));
    expect(pages.filter((page) => !read("README.md").includes(`](${page})`))).toEqual([]);
  });

  it("names no folder of somebody's machine and no host of a package registry", () => {
    const machine = /(?<![\w.~>-])\/(?:work|tmp|home\/\w+)\//;
    const registry = /\b(?:npmjs\.(?:org|com)|pypi\.org|pythonhosted\.org|nuget\.org)/;
    const text = tracked.filter((file) =>
      /\.(ts|js|mjs|json|md|py|sh|tsv|jinja|yaml|yml)$|^\.\w+/.test(file),
    );
    const named = text.filter((file) => {
      const content = read(file);
      return machine.test(content) || registry.test(content);
    });
    expect(named).toEqual([]);
  });
});

/** Paths of the tree in the first code block: two spaces a level, a name, then words about it. */
function mapOf(text: string): string[] {
  const [, tree] = /^```text\n([\s\S]*?)^```/m.exec(text) ?? ["", ""];
  const above: string[] = [];
  return tree
    .split("\n")
    .map((line) => /^( *)(\S+)/.exec(line))
    .filter((match) => match !== null)
    .filter(([, indent]) => indent.length < 12)
    .map(([, indent, name]) => {
      above.length = indent.length / 2;
      above.push(name);
      return above.join("");
    });
}

function leadsSomewhere(file: string, link: string): boolean {
  const [target, anchor] = link.split("#");
  const to = target === "" ? file : path.posix.join(path.posix.dirname(file), target);
  if (!existsSync(path.join(root, to))) return false;
  if (anchor === undefined || !to.endsWith(".md")) return true;
  const headings = [...read(to).matchAll(/^#+ (.+)$/gm)].map(([, title]) => slug(title));
  return headings.includes(anchor);
}

/** As GitHub makes anchors of headings. */
function slug(title: string): string {
  return title
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

/** Lines of code blocks that run hfms: each part of a pipe, `npx` and `$ ` left out, as words. */
function shownCommands(text: string): string[][] {
  const blocks = [...text.matchAll(/^```(?:sh|console)\n([\s\S]*?)^```/gm)].map((match) => match[1]);
  const lines = blocks.flatMap((block) => block.replaceAll("\\\n", " ").split("\n"));
  return lines.flatMap((line) =>
    [...line.matchAll(/(?:^|[|&;]|\$)\s*(?:\w+=\S+ )*(?:npx )?hfms ((?:"[^"]*"|'[^']*'|[^|&;>#"'])+)/g)].map(
      ([, words]) =>
        [...words.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? match[3]),
    ),
  );
}
