import { accessSync, constants, mkdirSync } from "node:fs";
import path from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** A Chromium of this machine: the variable CHROMIUM, or one of the usual names in PATH. */
export const chromiumPath = process.env.CHROMIUM ?? findInPath(names);

/** For the title of tests that need one. */
export const withoutChromium = chromiumPath
  ? ""
  : " (left out: no Chromium here; install one or set CHROMIUM)";

export async function openBrowser(): Promise<Browser> {
  // Tests may run as root, in containers: there Chromium's sandbox can't work.
  return chromium.launch({
    executablePath: chromiumPath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
  });
}

export interface OpenedPage {
  page: Page;
  /** What the browser complained about: scripts that failed, what the policy refused, requests to other machines. */
  complaints: string[];
}

/** A page of its own, with nothing that another left behind. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<OpenedPage> {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // The browser notes every answer that is no success; the page shows those itself.
    const failedRequest = message.text().startsWith("Failed to load resource");
    if (message.type() === "error" && !failedRequest) complaints.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(new URL(url).origin)) complaints.push(`asked for ${request.url()}`);
  });
  await page.goto(url);
  return { page, complaints };
}

export const sizes = {
  small: { width: 360, height: 640 },
  phone: { width: 390, height: 844 },
  desktop: { width: 1280, height: 800 },
} as const;

/**
 * Pictures of the page as it is, on a phone and a desk, in light and dark. They are kept where the variable SCREENSHOTS
 * names a folder. Returns what does not fit: widths that have to be scrolled sideways.
 */
export async function photograph(page: Page, name: string): Promise<string[]> {
  const folder = process.env.SCREENSHOTS;
  if (folder) mkdirSync(folder, { recursive: true });
  const tooWide: string[] = [];
  for (const [device, size] of Object.entries(sizes)) {
    await page.setViewportSize(size);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      const file = folder && path.join(folder, `${name}-${device}-${colorScheme}.png`);
      const picture = await page.screenshot(file ? { path: file } : {});
      if (picture.byteLength < 2000) tooWide.push(`${name} on ${device} is empty`);
    }
    const width = await page.evaluate("document.documentElement.scrollWidth");
    if (Number(width) > size.width) tooWide.push(`${name} on ${device} is ${width} wide`);
  }
  return tooWide;
}

function findInPath(programs: string[]): string | undefined {
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  const files = programs.flatMap((program) => folders.map((folder) => path.join(folder, program)));
  return files.find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
