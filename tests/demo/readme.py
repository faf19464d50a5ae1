"""Runs the demo and puts its real output into README.md: `make readme`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

README: Final = Path(__file__).resolve().parents[2] / "README.md"
BLOCK: Final = re.compile(r"(<!-- demo -->\n```text\n).*?(\n```)", re.DOTALL)


def main() -> int:
    """Replace the block; return the demo's status."""
    command = [sys.executable, "-m", "tests.demo"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout)
    if done.returncode == 0:
        lines = [line.rstrip() for line in done.stdout.splitlines() if "http://" not in line]
        output = "\n".join(line for line in lines if not line.startswith("matcher:")).strip()
        text = README.read_text(encoding="utf-8")
        text = BLOCK.sub(lambda block: block[1] + output + block[2], text)
        README.write_text(text, encoding="utf-8")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
