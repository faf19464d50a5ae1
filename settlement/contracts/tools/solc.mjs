#!/usr/bin/env node
// Makes the npm package `solc` (a WebAssembly build) answer like the native compiler, as far as
// forge asks: `--version`, and `--standard-json` with the input on stdin. Reads local files only.
import { existsSync, readFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const solc = createRequire(import.meta.url)("solc");

function writeAll(text) {
  const bytes = Buffer.from(text);
  for (let done = 0; done < bytes.length; ) {
    try {
      done += writeSync(1, bytes, done);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
}

function readImport(path) {
  for (const base of ["", project, join(project, "node_modules"), process.cwd()]) {
    const file = join(base, path);
    if (existsSync(file)) return { contents: readFileSync(file, "utf8") };
  }
  return { error: `File not found: ${path}` };
}

const options = process.argv.slice(2);
if (options.includes("--version") || options.includes("-V")) {
  writeAll(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}\n`);
} else if (options.includes("--standard-json")) {
  writeAll(solc.compile(readFileSync(0, "utf8"), { import: readImport }));
} else {
  console.error(`solc.mjs: only --version and --standard-json are understood: ${options}`);
  process.exit(2);
}
