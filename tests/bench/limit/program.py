"""Builds the C++ ladder that stands for the physical limit, and runs it on a workload."""

from __future__ import annotations

import functools
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

from tests.bench.workload import BUILD, SHARED, Fills, Workload, fills_of

OWN: Final = Path(__file__).with_name("ladder.cpp")
FLAGS: Final = ("-O3", "-march=native", "-std=c++20", "-w", "-DHANDLE", "-DFULL", "-DEVENTS")


class Run(NamedTuple):
    """What one run took, in nanoseconds an operation."""

    cpu_ns: float
    wall_ns: float


def compiler() -> str | None:
    """Return the machine's C++ compiler: `CXX`, c++ or g++."""
    return next(filter(None, map(shutil.which, (os.environ.get("CXX", ""), "c++", "g++"))), None)


@functools.cache
def source() -> Path:
    """Return the common ladder where it lies beside the checkout and can be built, or our own."""
    common = SHARED / "ref.cpp"
    return common if common.exists() and platform.machine() == "x86_64" else OWN


@functools.cache
def build(*, own: bool = False, margin: bool = True) -> Path | None:
    """Return the program, with a stand-in for margin or as a bare book.

    None, with a line, when nothing builds it.
    """
    path = OWN if own else source()
    target = BUILD / f"limit_{'engine' if margin else 'book'}_{path.stem}"
    command = compiler()
    if command is None:
        reason = "no C++ compiler: figures without a limit. Install one or set CXX"
        print(f"bench: {reason}", file=sys.stderr)
        return None
    if not target.exists() or target.stat().st_mtime < path.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            [command, *FLAGS, *["-DMARGIN"] * margin, str(path), "-o", str(target)], check=True
        )
    return target


def run(program: Path, workload: Workload) -> Run:
    """Play the workload. Raises `ValueError` when the fills are not those of the file."""
    done = subprocess.run(
        [str(program), str(workload.path), "tput"], check=True, capture_output=True, text=True
    )
    told = json.loads(done.stdout)
    fills = Fills(told["fills"], told["qty"], told["notional"], int(told["hash"], 16))
    if fills != fills_of(workload.header):
        raise ValueError(f"{program.name}: {fills}, the file says {fills_of(workload.header)}")
    return Run(told["cpu"] * 1e9 / workload.timed_count, told["ns_op"])
