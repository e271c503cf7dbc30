import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { KeyStore } from "../../src/server/keys/key-store.js";
import {
  chromiumPath,
  type OpenedPage,
  openBrowser,
  openPage,
  photograph,
  withoutChromium,
} from "../browser.js";
import { golden } from "../golden/reference.js";
import { startHubServer } from "../hub-server.js";
import { type Serving, serving, sharedServing } from "./serving.js";

const LLAMA = "golden/llama-gqa";
const BERT = "golden/bert-mean";

describe.skipIf(!chromiumPath)(`the web page in Chromium${withoutChromium}`, () => {
  const server = sharedServing();
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser?.close());

  /** A page that must not have complained when the test ends. */
  async function open(path: string, at: Serving = server()): Promise<Page> {
    const { page, complaints }: OpenedPage = await openPage(browser, `${at.url}${path}`);
    onTestFinished(async () => {
      expect(complaints).toEqual([]);
      await page.context().close();
    });
    return page;
  }

  async function chatWith(page: Page, model: string): Promise<void> {
    await page.locator("#chat-model option", { hasText: "Another model" }).waitFor({ state: "attached" });
    const known = await page.locator(`#chat-model option[value="${model}"]`).count();
    await page.locator("#chat-model").selectOption(known ? model : "other");
    if (!known) await page.getByLabel("Name of another model").first().fill(model);
  }

  async function say(page: Page, text: string): Promise<void> {
    await page.getByLabel("Message", { exact: true }).fill(text);
    await page.keyboard.press("Enter");
  }

  async function limitTokens(page: Page, tokens: number): Promise<void> {
    if (!(await page.getByLabel("Max tokens").isVisible())) await page.getByText("Settings").click();
    await page.getByLabel("Max tokens").fill(String(tokens));
  }

  describe("chat", () => {
    it("streams an answer, and says how long it took", async () => {
      const page = await open("/");
      await chatWith(page, LLAMA);
      await limitTokens(page, 24);
      await say(page, "Tell me something");
      await page.getByText(/^24 tokens|· 24 tokens/).waitFor();
      const foot = await page.locator(".foot").textContent();
      expect(foot).toMatch(/24 tokens · [\d.]+ tokens\/s · first after [\d.]+ s · \d+ in the prompt/);
      expect(await page.locator(".answer .text").textContent()).not.toBe("");
      expect(await page.locator(".asked").textContent()).toContain("Tell me something");
      expect(await page.locator("#chat-live").textContent()).toMatch(/^Answer: /);
      expect(await photograph(page, "chat")).toEqual([]);
    });

    it("goes on from what was said, and begins anew", async () => {
      const page = await open("/");
      await chatWith(page, LLAMA);
      await limitTokens(page, 4);
      await page.getByLabel("System prompt").fill("Be brief.");
      const sent: { messages: { role: string; content: string }[] }[] = [];
      page.on("request", (request) => {
        if (request.url().endsWith("/chat/completions")) sent.push(request.postDataJSON());
      });
      await say(page, "One");
      await page.locator(".foot span").first().waitFor();
      await say(page, "Two");
      await page.locator(".foot span").nth(1).waitFor();
      expect(sent[1].messages.map(({ role }) => role)).toEqual(["system", "user", "assistant", "user"]);
      expect(sent[1].messages[0].content).toBe("Be brief.");
      expect(sent[1]).toMatchObject({ max_completion_tokens: 4 });
      await page.getByRole("button", { name: "New conversation" }).click();
      expect(await page.locator("#chat-messages li").count()).toBe(0);
      await say(page, "Three");
      await page.locator(".foot span").first().waitFor();
      expect(sent[2].messages.map(({ content }) => content)).toEqual(["Be brief.", "Three"]);
    });

    it("stops when it is told to, and the server stops with it", async () => {
      const page = await open("/");
      await chatWith(page, LLAMA);
      const network = await page.context().newCDPSession(page);
      await server().post("/models/load", { model: LLAMA });
      // So slow that the answer is still on its way.
      await network.send("Network.emulateNetworkConditions", {
        offline: false,
        latency: 0,
        downloadThroughput: 400,
        uploadThroughput: -1,
      });
      await say(page, "Tell me a long story");
      await page.getByRole("button", { name: "Stop" }).click();
      await page.getByText("stopped", { exact: true }).waitFor();
      expect(await page.getByRole("button", { name: "Send" }).isVisible()).toBe(true);
      await expect
        .poll(() => server().running.server.context.activities.active.filter(isChat).length)
        .toBe(0);
    });

    it("says in plain words what went wrong, and tries again", async () => {
      const page = await open("/");
      await chatWith(page, "golden/nothing-there");
      await say(page, "Hello");
      const alert = page.getByRole("alert");
      await alert.waitFor();
      expect(await alert.textContent()).toContain("golden/nothing-there");
      expect(await photograph(page, "chat-error")).toEqual([]);
      await chatWith(page, LLAMA);
      await limitTokens(page, 4);
      await alert.getByRole("button", { name: "Try again" }).click();
      await page.locator(".foot span").waitFor();
      expect(await page.getByRole("alert").count()).toBe(0);
    });

    it("shows how far the loading of a model is", async () => {
      const hub = await startHubServer({
        repositories: [{ id: "acme/tiny", files: golden("llama-gqa").directory }],
      });
      onTestFinished(() => hub.close());
      // Large files come by their hash.
      hub.faults.push({ path: /\/[0-9a-f]{64}$/, bytesPerSecond: 250_000 });
      const slow = await serving({ env: { HF_ENDPOINT: hub.url, HF_HUB_OFFLINE: "0" } });
      onTestFinished(() => slow[Symbol.asyncDispose]());
      const page = await open("/", slow);
      await chatWith(page, "acme/tiny");
      await limitTokens(page, 4);
      await say(page, "Hello");
      await page.getByText(/Downloading acme\/tiny: [\d.]+ [kM]B of 995 kB/).waitFor();
      expect(Number(await page.locator("progress").getAttribute("max"))).toBeGreaterThan(900_000);
      if (process.env.SCREENSHOTS) await photograph(page, "chat-loading");
      await page.locator(".foot span").waitFor();
      expect(await page.locator("progress").count()).toBe(0);
    });

    it("shows thoughts folded, and Markdown without ever making markup of what a model writes", async () => {
      const page = await open("/");
      await page.evaluate(`import("/page/answer.js").then(({ answerItem }) => {
        const answer = answerItem("a model");
        document.getElementById("chat-messages").append(answer.item);
        document.getElementById("chat-empty").hidden = true;
        answer.addReasoning("Is it <b>bold</b>?");
        answer.addText("It is **bold**, \\u0060x = 1\\u0060:\\n\\n1. <img src=x onerror=alert(1)>\\n2. two\\n\\n");
        answer.addText("\\u0060\\u0060\\u0060html\\n<script>alert(1)</script>\\n\\u0060\\u0060\\u0060\\n## End");
        answer.finish({ reason: "stop", usage: { prompt_tokens: 3, completion_tokens: 1 } });
      })`);
      const answer = page.locator(".answer");
      await answer.locator(".foot span").waitFor();
      expect(await page.locator("main :is(img, script, b)").count()).toBe(0);
      expect(await answer.locator("strong").textContent()).toBe("bold");
      expect(await answer.locator("p code").textContent()).toBe("x = 1");
      expect(await answer.locator("ol li").allTextContents()).toEqual([
        "<img src=x onerror=alert(1)>",
        "two",
      ]);
      expect(await answer.locator("pre").textContent()).toBe("<script>alert(1)</script>");
      expect(await answer.getByText("Is it <b>bold</b>?").isVisible()).toBe(false);
      await answer.getByText(/^Thought for/).click();
      expect(await answer.getByText("Is it <b>bold</b>?").isVisible()).toBe(true);
      expect(await photograph(page, "answer")).toEqual([]);
    });

    it("never makes markup of what a person writes", async () => {
      const page = await open("/");
      await chatWith(page, "golden/<img src=x onerror=alert(1)>");
      await say(page, "<img src=x onerror=alert(1)><script>alert(1)</script>");
      await page.getByRole("alert").waitFor();
      expect(await page.locator("main img, main script").count()).toBe(0);
      expect(await page.locator(".asked").textContent()).toContain("<img src=x");
    });
  });

  it("compares texts", async () => {
    const page = await open("/#embed");
    await page.locator(`#embed-model option[value="${BERT}"]`).waitFor({ state: "attached" });
    await page.locator("#embed-model").selectOption(BERT);
    await page.getByLabel("Texts, one on each line").fill("one\ntwo\n\nthree\n");
    await page.getByRole("button", { name: "Compare" }).click();
    const table = page.getByRole("table");
    await table.waitFor();
    expect(await table.locator("tbody tr").count()).toBe(3);
    const cells = await table.locator("tbody td").allInnerTexts();
    expect([cells[0], cells[4], cells[8]]).toEqual(["1.00", "1.00", "1.00"]);
    expect(cells[1]).toBe(cells[3]);
    expect(await photograph(page, "embed")).toEqual([]);
    await page.getByLabel("Texts, one on each line").fill("one");
    await page.getByRole("button", { name: "Compare" }).click();
    expect(await page.getByRole("alert").textContent()).toBe("Write 2 to 24 lines; there is 1.");
  });

  it("loads models and unloads them", async () => {
    await using fresh = await serving();
    const page = await open("/#models", fresh);
    await page.getByText("None. The first request").waitFor();
    await page.getByLabel("Filter models").fill("bert-mean");
    await page.getByRole("button", { name: `Load ${BERT}` }).click();
    await page.getByText(`${BERT} is in memory`).waitFor();
    const unload = page.getByRole("button", { name: `Unload ${BERT}` });
    await unload.waitFor();
    expect(await photograph(page, "models")).toEqual([]);
    await unload.click();
    await page.getByText(`${BERT} is no longer in memory.`).waitFor();
    await page.getByText("None. The first request").waitFor();
    expect(await fresh.engine.ps()).toEqual([]);
  });

  it("shows load and hardware as they are", async () => {
    const page = await open("/#status");
    await page.getByText("Requests now").waitFor();
    await page.getByText("usable", { exact: true }).first().waitFor();
    expect(await page.locator("#status-live").textContent()).toContain("version");
    expect(await page.locator("#status-hardware").textContent()).toMatch(/Memory\s*[\d.]+ [GM]B/);
    expect(await photograph(page, "status")).toEqual([]);
  });

  it("shows the reference", async () => {
    const page = await open("/docs");
    await page.getByRole("link", { name: "/v1/embeddings" }).first().click();
    expect(page.url()).toContain("#postV1Embeddings");
    expect(await photograph(page, "reference")).toEqual([]);
  });

  it("asks for the key that the server wants, and keeps it for the tab", async () => {
    const keys = lockable("hfms_the-right-key");
    const locked = await serving({ keys });
    onTestFinished(() => locked[Symbol.asyncDispose]());
    const page = await open("/#status", locked);
    await page.getByText("Requests now").waitFor();
    keys.empty = false;
    const dialog = page.getByRole("dialog", { name: "API key" });
    await dialog.getByText("This server wants an API key.").waitFor();
    expect(await photograph(page, "key")).toEqual([]);
    await dialog.getByLabel("Key", { exact: true }).fill("hfms_a-wrong-key");
    await page.keyboard.press("Enter");
    await dialog.getByText("The server does not know this key.").waitFor();
    await dialog.getByLabel("Key", { exact: true }).fill("hfms_the-right-key");
    await page.keyboard.press("Enter");
    await page.locator('#server-state[data-state="ready"]').waitFor();
    expect(await page.evaluate("sessionStorage.getItem('hfms-key')")).toBe("hfms_the-right-key");
    expect(await page.evaluate("JSON.stringify(localStorage)")).not.toContain("the-right-key");
  });

  it("says so when the server is gone", async () => {
    const short = await serving();
    const page = await open("/", short);
    await page.locator('#server-state[data-state="ready"]').waitFor();
    await short[Symbol.asyncDispose]();
    await page.getByText("not reachable").waitFor();
    await chatWith(page, LLAMA);
    await say(page, "Are you there?");
    await page.getByText("The server can't be reached. Is hfms serve still running?").waitFor();
  });

  it("can be used by keyboard alone", async () => {
    const page = await open("/");
    await page.locator("#chat-model option").first().waitFor({ state: "attached" });
    await page.getByRole("link", { name: "Skip to the content" }).focus();
    const names: string[] = [];
    for (let step = 0; step < 14; step += 1) {
      await page.keyboard.press("Tab");
      names.push(String(await page.evaluate(NAME_OF_FOCUS)));
    }
    const order = ["hfms", "Chat", "Embed", "Models", "Status", "API", "Model", "Settings", "System prompt"];
    expect(names.filter((name) => order.includes(name))).toEqual(order);
    expect(names).toContain("Message");
    expect(names).toContain("Send");
    await page.getByRole("link", { name: "Models", exact: true }).focus();
    await page.keyboard.press("Enter");
    expect(await page.evaluate(NAME_OF_FOCUS)).toBe("Models");
    expect(await page.title()).toBe("Models · hfms");
    await page.keyboard.press("Tab");
    expect(await page.evaluate("getComputedStyle(document.activeElement).outlineWidth")).toBe("2px");
  });

  it.each(["/", "/#embed", "/#models", "/#status", "/docs"])(
    "has nothing at %s that axe finds fault with",
    async (path) => {
      const page = await open(path);
      await page.waitForLoadState("networkidle");
      if (path === "/") {
        await chatWith(page, LLAMA);
        await limitTokens(page, 8);
        await say(page, "Hello");
        await page.locator(".foot span").waitFor();
      }
      // The reference is the same again and again: one operation stands for all.
      const part = path === "/docs" ? "header, nav, #postV1Embeddings" : "html";
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await faults(page, part), colorScheme).toEqual([]);
      }
    },
  );
});

const NAME_OF_FOCUS = `(() => {
  const { activeElement: one } = document;
  return (one.labels?.[0] ?? one).textContent.trim() || one.getAttribute("aria-label");
})()`;

/** Rules of axe-core that the page breaks, with the places. */
async function faults(page: Page, part: string): Promise<unknown> {
  // The policy of the page lets no script in: the debugger's connection does.
  await page.evaluate(axe.source);
  return page.evaluate(`axe.run({ include: ${JSON.stringify(part.split(", "))} }, { resultTypes: ["violations"] }).then(({ violations }) =>
    violations.map(({ id, nodes }) => ({ id, places: nodes.map(({ html, failureSummary }) => html.slice(0, 120) + failureSummary) })))`);
}

function isChat({ route }: { route: string }): boolean {
  return route === "POST /v1/chat/completions";
}

/** Keys that come while the server runs. */
function lockable(right: string): KeyStore & { empty: boolean } {
  const key = {
    id: "1",
    name: "page",
    hint: "hfms_the…",
    scopes: ["infer" as const],
    created: "2026-01-01T00:00:00Z",
  };
  return { empty: true, check: (shown) => (shown === right ? key : undefined) };
}
