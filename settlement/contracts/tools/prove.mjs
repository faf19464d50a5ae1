#!/usr/bin/env node
// Proves the assertions of test/symbolic/FixedPoint.t.sol with the compiler's own SMT checker.
// Bounded model checking is exact here: there are no loops. Ends with 1 when an assertion is not
// proved. No time limit can be set: the solver inside the compiler has no threads.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const solc = createRequire(import.meta.url)("solc");
const source = "test/symbolic/FixedPoint.t.sol";

const input = {
  language: "Solidity",
  sources: { [source]: { content: readFileSync(join(project, source), "utf8") } },
  settings: {
    evmVersion: "cancun",
    modelChecker: {
      engine: "bmc",
      contracts: { [source]: ["FixedPointProof"] },
      targets: ["assert"],
      showProvedSafe: true,
      showUnproved: true,
      solvers: ["z3"],
    },
    outputSelection: { "*": { "*": ["abi"] } },
  },
};
const found = (path) => ({ contents: readFileSync(join(project, path), "utf8") });
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: found }));
const messages = output.errors ?? [];
const proved = messages.filter((m) => m.message.includes("check is safe"));
const open = messages.filter((m) => m.severity === "error" || m.message.includes("violation m"));
for (const m of open) console.error(m.formattedMessage);
const claimed = input.sources[source].content.match(/\bassert\(/g).length;
console.log(`${source}: ${proved.length} of ${claimed} assertions proved`);
process.exit(open.length > 0 || proved.length !== claimed ? 1 : 0);
