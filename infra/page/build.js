// Builds lambda_fn/api/page/index.html and docs.html: one self-contained file each, the same bytes from the same sources.

import { createHash } from "node:crypto";
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "..", "lambda_fn", "api", "page");
const tests = join(here, "..", "..", "tests", "browser");
const BROWSERS = ["chrome123", "firefox120", "safari17.5"]; // the first with light-dark()
const source = (name) => readFileSync(join(here, "src", name), "utf8");

const GLYPH = `<svg viewBox="0 0 32 32" aria-hidden="true"><path d="M3 21 9 15l5 4 5-7" fill="none" stroke="currentColor" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round"/><path d="M19 12 29 3v21Z" fill="currentColor" opacity=".28"/><path d="M19 12 29 8v10Z" fill="currentColor" opacity=".55"/></svg>`;
const ICON = `data:image/svg+xml,${encodeURIComponent(GLYPH.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ').replaceAll("currentColor", "#6a76e8"))}`;

/** SHA-256 over the names and bytes of everything that a page is made of; tests/lambda_fn/api/test_pages.py computes it too. */
function digest() {
  const names = ["build.js", "package-lock.json", "package.json", ...readdirSync(join(here, "src")).map((name) => `src/${name}`)].sort();
  const hash = createHash("sha256");
  for (const name of names) hash.update(`${name}\0`).update(readFileSync(join(here, name))).update("\0");
  return hash.digest("hex");
}

async function bundled(entry, contents, loader) {
  const made = await build({
    stdin: { contents, loader, resolveDir: join(here, "src"), sourcefile: entry },
    ...{ bundle: true, minify: true, write: false, charset: "utf8", legalComments: "none", target: BROWSERS, format: "iife", logLevel: "warning" },
  });
  return made.outputFiles[0].text.trim();
}

async function page(name, script, styles) {
  const code = await bundled(script, source(script), "js");
  const style = await bundled("style.css", styles.map((file) => `@import "${file}";`).join("\n"), "css");
  if (/<\/script/i.test(code) || /<\/style/i.test(style)) throw new Error(`${name}: what is inlined would end its own element`);
  const parts = { DIGEST: digest(), ICON, GLYPH, SETTINGS: source("settings.html").trimEnd(), STYLE: style, SCRIPT: code };
  const html = source(name).replace(/@@([A-Z]+)@@/g, (_, part) => parts[part]);
  writeFileSync(join(out, name), html);
}

function licences() {
  const bundledPackages = ["papaparse", "uplot"].map((name) => {
    const folder = join(here, "node_modules", name);
    const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return `${name} ${version}\n\n${readFileSync(join(folder, "LICENSE"), "utf8").trim()}\n`;
  });
  writeFileSync(join(out, "LICENSES.txt"), `index.html and docs.html hold these packages, minified.\n\n${bundledPackages.join(`\n${"-".repeat(80)}\n\n`)}`);
}

await page("index.html", "main.js", ["uplot/dist/uPlot.min.css", "./base.css", "./page.css"]);
await page("docs.html", "docs.js", ["./base.css", "./docs.css"]);
licences();
const axe = join(here, "node_modules", "axe-core");
copyFileSync(join(axe, "axe.min.js"), join(tests, "axe.min.js"));
copyFileSync(join(axe, "LICENSE"), join(tests, "axe.LICENSE.txt"));
