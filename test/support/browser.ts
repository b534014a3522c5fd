/**
 * A Chromium for e2e tests, the one that the machine has; tests are left out where it has none. Every page watches itself: what the console
 * complains of, and what the content security policy refuses, is kept.
 */
import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Where it is; undefined: nowhere. */
export const CHROMIUM = PATHS.find((path) => existsSync(path));

export interface View {
  readonly width: number;
  readonly height: number;
  readonly scheme: "light" | "dark";
}

export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;
  /** What pages complained of. */
  readonly complaints: string[] = [];

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async start(args: readonly string[] = []): Promise<TestBrowser> {
    // its sandbox wants a user other than root
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--disable-gpu", ...args] });
    return new TestBrowser(browser);
  }

  /** A page of its own context. */
  async open({ width, height, scheme }: View): Promise<Page> {
    const context = await this.#browser.newContext({ viewport: { width, height }, colorScheme: scheme });
    const page = await context.newPage();
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") this.complaints.push(`${page.url()}: ${message.text()}`);
    });
    page.on("pageerror", (error) => this.complaints.push(`${page.url()}: ${error}`));
    return page;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}
