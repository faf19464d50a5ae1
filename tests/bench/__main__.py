"""`make bench [ONLY=prefix]`: runs the measurements of that name, one JSON object a line."""

from __future__ import annotations

import sys

from tests.bench import engine, gas, journal, margin, signing, snapshot, tick_orders

CASES = {
    **engine.CASES,
    **gas.CASES,
    **journal.CASES,
    **margin.CASES,
    **signing.CASES,
    **snapshot.CASES,
    **tick_orders.CASES,
}


def main(prefix: str = "") -> int:
    """Print the results; return 1 when nothing has such a name."""
    found = False
    for name, measure in sorted(CASES.items()):
        if not name.startswith(prefix) and not prefix.startswith(name):
            continue
        for result in measure():
            if result.name.startswith(prefix):
                found = True
                print(result.to_json(), flush=True)
    if not found:
        print(
            f"bench: nothing is named {prefix}*; known: {', '.join(sorted(CASES))}", file=sys.stderr
        )
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
