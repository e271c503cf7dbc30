import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { filesOf, read } from "../../../source-imports.js";
import { serving, sharedServing } from "../../serving.js";

const server = sharedServing();
const files = filesOf("page/*");
const html = read("page/index.html");

describe("the page", () => {
  it("is HTML that may load nothing from elsewhere and run no script of its text", async () => {
    const response = await server().fetch("/");
    expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    const policy = response.headers.get("content-security-policy");
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).not.toContain("unsafe");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(await response.text()).toBe(html);
  });

  it("comes with every file, in its type", async () => {
    for (const file of files) {
      const response = await server().fetch(`/${file}`);
      expect(response.status, file).toBe(200);
      expect(await response.text(), file).toBe(read(file));
    }
    expect((await server().fetch("/page/app.js")).headers.get("content-type")).toMatch(/^text\/javascript/);
    expect((await server().fetch("/page/base.css")).headers.get("content-type")).toMatch(/^text\/css/);
    expect((await server().fetch("/page/icon.svg")).headers.get("content-type")).toMatch(/^image\/svg/);
  });

  it("is sent again only when it has changed", async () => {
    const etag = (await server().fetch("/page/app.js")).headers.get("etag")!;
    expect(etag).toMatch(/^"[\w-]{22}"$/);
    for (const known of [etag, `W/${etag}`, `"old", ${etag}`]) {
      const again = await server().fetch("/page/app.js", { headers: { "if-none-match": known } });
      expect(again.status).toBe(304);
      expect(again.headers.get("etag")).toBe(etag);
      expect(await again.text()).toBe("");
    }
    const changed = await server().fetch("/page/app.js", { headers: { "if-none-match": '"old"' } });
    expect(changed.status).toBe(200);
  });

  it("has no file but its own", async () => {
    for (const name of [
      "nothing.js",
      "..%2Fpackage.json",
      "%2e%2e/package.json",
      "__proto__",
      "",
      "app.js%00",
    ]) {
      const response = await server().fetch(`/page/${name}`);
      expect(response.status, name).toBe(404);
      expect(await response.json()).toMatchObject({ error: { code: "unknown_url" } });
    }
  });

  it("can be turned off; the reference keeps its style", async () => {
    await using quiet = await serving({ config: { page: false } });
    expect((await quiet.fetch("/")).status).toBe(404);
    expect((await quiet.fetch("/docs")).status).toBe(200);
    expect((await quiet.fetch("/page/reference.css")).status).toBe(200);
  });
});

describe("the files of the page", () => {
  it("name no other machine", () => {
    for (const file of files) {
      const urls = [...read(file).matchAll(/(?:https?:)?\/\/[\w.-]+/g)].map(([url]) => url);
      expect(
        urls.filter((url) => url !== "http://www.w3.org"),
        file,
      ).toEqual([]);
    }
  });

  it("lead only to what is there", () => {
    const referred = files.flatMap((file) => [
      ...[...read(file).matchAll(/(?:src|href)="(\/page\/[^"]+)"/g)].map((match) => match[1].slice(1)),
      ...[...read(file).matchAll(/(?:from|import) "\.\/([^"]+)"/g)].map((match) => `page/${match[1]}`),
    ]);
    expect(referred.length).toBeGreaterThan(10);
    expect(referred.filter((file) => !files.includes(file))).toEqual([]);
  });

  it("never make markup of text", () => {
    for (const file of files.filter((name) => name.endsWith(".js"))) {
      expect(read(file), file).not.toMatch(
        /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function/,
      );
    }
  });

  it("have no script and no style inside the HTML", () => {
    expect(html).not.toMatch(/<script(?![^>]*src=)/);
    expect(html).not.toMatch(/\sstyle=|\son\w+=|<style/);
  });

  it("have every id that scripts look for", () => {
    const ids = new Set([...html.matchAll(/\bid="([^"]+)"/g)].map((match) => match[1]));
    for (const file of files.filter((name) => name.endsWith(".js"))) {
      for (const [, id] of read(file).matchAll(/byId\(\s*"([^"]+)"/g)) expect([...ids], file).toContain(id);
    }
  });

  it("give every control a label", () => {
    const controls = [...html.matchAll(/<(?:input|select|textarea)\b[^>]*>/g)].map(([tag]) => tag);
    expect(controls.length).toBeGreaterThan(8);
    const unnamed = controls.filter((tag) => {
      const id = /\bid="([^"]+)"/.exec(tag)?.[1];
      return !tag.includes("aria-label") && !html.includes(`for="${id}"`);
    });
    expect(unnamed).toEqual([]);
  });

  it("are few bytes on the wire", () => {
    const sizes = files.map((file) => gzipSync(read(file)).length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(60_000);
  });
});
