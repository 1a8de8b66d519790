// Bundles every src/*.js and css/site.css into dist/, where Django finds them.
//
//   node build.mjs           minified, as it is served
//   node build.mjs --watch   with source maps, again after each change

import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const watches = process.argv.includes("--watch");

function entries() {
  const scripts = join(here, "src");
  const found = existsSync(scripts)
    ? readdirSync(scripts)
        .filter((name) => name.endsWith(".js"))
        .map((name) => join(scripts, name))
    : [];
  const style = join(here, "css", "site.css");
  return existsSync(style) ? [...found, style] : found;
}

const options = {
  absWorkingDir: here,
  entryPoints: entries(),
  entryNames: "[name]",
  assetNames: "assets/[name]-[hash]",
  outdir: join(here, "dist"),
  bundle: true,
  minify: !watches,
  sourcemap: watches ? "linked" : false,
  // Works with and without type="module", and leaves no global names behind.
  format: "iife",
  target: ["es2022", "chrome109", "firefox115"],
  legalComments: "linked",
  loader: { ".woff2": "file", ".svg": "file", ".png": "file" },
  logLevel: "warning",
};

rmSync(options.outdir, { recursive: true, force: true });
mkdirSync(options.outdir, { recursive: true });
if (watches) {
  const context = await esbuild.context(options);
  await context.watch();
} else if (options.entryPoints.length > 0) {
  await esbuild.build(options);
}
