"""`make sanitize`: the suites of engine and kernel under AddressSanitizer and UBSan.

The extensions stand in build/sanitize, so that those in place stay as they are; the system's
compiler is enough. An error ends the run with the sanitizer's report.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
BUILD: Final = ROOT / "build/sanitize"
LIBRARY: Final = BUILD / "library"
SANITIZERS: Final = "address,undefined"
SUITES: Final = (
    "tests/unit/engine", "tests/unit/margin_core", "tests/golden", "tests/property",
    "tests/differential",
)  # fmt: skip
# What needs the address space or the allocator that a sanitizer takes for itself, or runs mypy.
LEFT_OUT: Final = (
    "tests/unit/engine/test_ends_of_store.py::test_a_very_large_call_leaves_its_memory_to_the_next",
    "tests/unit/engine/test_snapshot.py::test_only_what_is_in_use_is_written",
    "tests/unit/engine/test_single_calls.py::test_nothing_on_the_path_allocates",
    "tests/unit/engine/test_nonces.py::test_no_call_moves_the_table",
    "tests/unit/engine/test_sparse_prices.py::test_a_lonely_order_holds_a_page_and_gives_it_back",
    "tests/unit/engine/test_sparse_prices.py::test_a_mass_cancel_leaves_its_pages_to_later_commands",
    "tests/unit/engine/test_sparse_prices.py::test_the_window_that_the_mark_leaves_is_given_back",
    "tests/unit/engine/test_sparse_prices.py::test_a_market_whose_prices_have_no_room_is_refused",
    "tests/unit/margin_core/test_rules.py::test_the_stubs_say_what_the_module_has",
)
# Smaller than the suites' own numbers, which the plain build runs: a tenth of the speed.
SMALL: Final = {
    "BULKHEAD_SOAK_STREAMS": "4",
    "BULKHEAD_SOAK_COMMANDS": "400",
    "BULKHEAD_SOAK_BOOKS": "10",
    "BULKHEAD_SOAK_STATES": "2000",
    "HYPOTHESIS_PROFILE": "small",
}


def build() -> None:
    """Compile the extensions with the sanitizers."""
    subprocess.run(
        [
            sys.executable, "setup.py", "-q", "build_ext", "--build-lib", str(LIBRARY),
            "--build-temp", str(BUILD / "objects"), "--parallel", "2",
        ],
        cwd=ROOT, env=os.environ | {"BULKHEAD_SANITIZE": SANITIZERS}, check=True,
    )  # fmt: skip


def runtimes() -> str:
    """Return the sanitizers' runtimes, which have to be loaded before Python."""
    compiler = os.environ.get("CC", "cc").split()
    found = [
        subprocess.run(
            [*compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    missing = [name for name in found if not Path(name).is_absolute()]
    if missing:
        sys.exit(
            f"sanitize: {compiler[0]} has no {missing[0]}. "
            "Install it (Debian: libasan8) or set CC to gcc"
        )
    return " ".join(found)


def environment() -> dict[str, str]:
    """Return what pytest runs with."""
    return (
        os.environ
        | SMALL
        | {
            "BULKHEAD_LIBRARY": str(LIBRARY),
            "LD_PRELOAD": runtimes(),
            "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1",
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "PYTHONMALLOC": "malloc",
        }
    )


def main() -> int:
    """Build, then run the suites, or the paths and options of pytest that are given."""
    parser = argparse.ArgumentParser(prog="tests.fuzz.suites")
    parser.add_argument("options", nargs="*", default=[])
    given, options = parser.parse_known_args()
    started_s = time.monotonic()
    build()
    print(f"sanitize: built in {time.monotonic() - started_s:.0f} s", flush=True)
    deselected = [word for name in LEFT_OUT for word in ("--deselect", name)]
    chosen = [*given.options, *options] or list(SUITES)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "--capture=sys", *deselected, *chosen],
        cwd=ROOT, env=environment(), check=False,
    ).returncode  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
