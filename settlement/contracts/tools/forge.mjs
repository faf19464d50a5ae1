#!/usr/bin/env node
// Runs the forge binary of the npm package and ends with its exit status: the launcher that the
// package itself installs ends with 0 even when tests fail.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const architecture = process.arch === "x64" ? "amd64" : process.arch;
const platformPackage = `@foundry-rs/forge-${process.platform}-${architecture}`;
const manifest = createRequire(import.meta.url).resolve(`${platformPackage}/package.json`);
const binary = join(dirname(manifest), "bin", process.platform === "win32" ? "forge.exe" : "forge");

const done = spawnSync(binary, process.argv.slice(2), { cwd: project, stdio: "inherit" });
if (done.error) throw done.error;
process.exit(done.status ?? 1);
