/**
 * The frame of every page: head, navigation, main part. Decides. What it shows comes later, by browser/.
 */
import { VERSION } from "../../system/options.ts";
import { SCRIPT_ENDING } from "./assets.ts";
import { type Html, html } from "./html.ts";

/** Nothing inline, nothing from elsewhere. `connect-src 'self'` covers the WebSocket tracker too. */
export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "manifest-src 'none'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

const NAVIGATION = [
  ["/", "Overview"],
  ["/hosts", "Hosts"],
  ["/seeders", "Seeders"],
  ["/bans", "Bans"],
] as const;

export interface Shell {
  readonly title: string;
  /** Path of the page in the navigation; empty: it is not there. */
  readonly at: string;
  /** Name of its script: `overview` is browser/overview-page. */
  readonly page: "overview" | "task" | "hosts" | "seeders" | "bans" | "none";
  readonly main: Html;
}

/** The document. */
export function pageShell({ title, at, page, main }: Shell): string {
  const script = page === "none" ? undefined : html`<script type="module" src="/assets/${page}-page.${SCRIPT_ENDING}"></script>`;
  const links = NAVIGATION.map(
    ([path, name]) => html`<li><a href="${path}"${path === at ? html` aria-current="page"` : undefined}>${name}</a></li>`,
  );
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Skimmer</title>
<link rel="icon" href="/assets/mark.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/style.css">
${script}
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
<a class="brand" href="/"><img src="/assets/mark.svg" alt="" width="28" height="28">Skimmer</a>
<nav aria-label="Pages"><ul>${links}</ul></nav>
<p class="link" id="link" data-state="connecting"><span class="dot"></span><span id="link-text">connecting</span></p>
</header>
<main id="main" tabindex="-1">
<noscript><p class="notice">This page needs JavaScript. The same figures are at <a href="/api/v1/stats">/api/v1/stats</a> as JSON.</p></noscript>
<p class="notice" id="notice" role="alert" hidden></p>
${main}
</main>
<footer class="foot"><p>Skimmer ${VERSION} · <a href="/api/v1/openapi.json">API</a> · <a href="/metrics">Metrics</a></p></footer>
</body>
</html>
`.toString();
}
