"""`make fuzz [SECONDS=60]`: builds the engine under sanitizers, then fuzzes it with libFuzzer.

A finding is written to build/fuzz/ and runs again with `make fuzz INPUT=file`. The corpus that the
coverage has chosen stays in build/fuzz/corpus and is where the next run begins.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Final

from tests.fuzz import seeds

ROOT: Final = Path(__file__).resolve().parents[2]
BUILD: Final = ROOT / "build/fuzz"
LIBRARY: Final = BUILD / "library"
PROGRAM: Final = BUILD / "engine"
HARNESS: Final = Path(__file__).with_name("harness.c")
SANITIZERS: Final = "address,undefined"
INPUT_BYTES_MAX: Final = 1 + 96 * 32
NO_COMPILER: Final = (
    "fuzz: clang with libFuzzer is needed. Install it (Debian 12: clang-14 libclang-rt-14-dev) or "
    "name it by CLANG"
)


def clang() -> str | None:
    """Return a clang that can link libFuzzer, or None."""
    names = (os.environ.get("CLANG", ""), "clang", *(f"clang-{k}" for k in range(22, 13, -1)))
    probe = "int LLVMFuzzerTestOneInput(const char* d, unsigned long n) { (void)d; return !n; }"
    BUILD.mkdir(parents=True, exist_ok=True)
    for command in filter(None, map(shutil.which, names)):
        done = subprocess.run(
            [command, "-x", "c", "-", f"-fsanitize=fuzzer,{SANITIZERS}", "-o", BUILD / "probe"],
            input=probe, text=True, capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            return command
    return None


def build(compiler: str) -> None:
    """Compile the extensions with coverage and sanitizers, and the program that embeds Python."""
    flags = {"CC": compiler, "BULKHEAD_SANITIZE": f"{SANITIZERS},fuzzer-no-link"}
    subprocess.run(
        [
            sys.executable, "setup.py", "-q", "build_ext", "--build-lib", str(LIBRARY),
            "--build-temp", str(BUILD / "objects"), "--parallel", "2",
        ],
        cwd=ROOT, env=os.environ | flags, check=True,
    )  # fmt: skip
    names = ("LIBDIR", "LIBPL", "INCLUDEPY", "LDVERSION")
    libdir, libpl, include, version = (str(sysconfig.get_config_var(name)) for name in names)
    subprocess.run(
        [
            compiler, "-g", "-O1", f"-fsanitize=fuzzer,{SANITIZERS}", f"-I{include}", str(HARNESS),
            "-rdynamic", f"-L{libdir}", f"-L{libpl}", f"-Wl,-rpath,{libdir}",
            f"-lpython{version}", "-ldl", "-lm", "-lpthread", "-o", str(PROGRAM),
        ],
        check=True,
    )  # fmt: skip


def environment() -> dict[str, str]:
    """Return what the program needs: where Python is, and strict sanitizers."""
    return os.environ | {
        "BULKHEAD_PYTHON": sys.executable,
        "BULKHEAD_LIBRARY": str(LIBRARY),
        "PYTHONPATH": str(ROOT),
        "ASAN_OPTIONS": "detect_leaks=0:quarantine_size_mb=16:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "OPENBLAS_NUM_THREADS": "1",
    }


def fuzz(seconds: int) -> int:
    """Fuzz for so long; return 1 after a finding."""
    seeds.write(BUILD / "seeds")
    (BUILD / "corpus").mkdir(exist_ok=True)
    log = BUILD / "fuzz.log"
    with log.open("w", encoding="utf-8") as out:
        done = subprocess.run(
            [
                PROGRAM, f"-max_total_time={seconds}", f"-max_len={INPUT_BYTES_MAX}",
                "-use_value_profile=1", "-print_final_stats=1", "-timeout=30",
                f"-artifact_prefix={BUILD}/", BUILD / "corpus", BUILD / "seeds",
            ],
            env=environment(), stderr=out, check=False,
        )  # fmt: skip
    text = log.read_text(encoding="utf-8", errors="replace")
    runs = re.findall(r"stat::number_of_executed_units:\s+(\d+)", text)
    covered = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", text)
    edges, features, corpus = covered[-1] if covered else ("0", "0", "0")
    print(
        f"fuzz: {runs[-1] if runs else 0} executions, {edges} edges, {features} features, "
        f"{corpus} inputs kept, {'a finding' if done.returncode else 'no finding'}"
    )
    if done.returncode:
        print(text[-6_000:], file=sys.stderr)
        print(f"fuzz: the whole log is {log}; make fuzz INPUT=<file> runs one again")
    return 1 if done.returncode else 0


def main() -> int:
    """Build, then fuzz or run one input."""
    parser = argparse.ArgumentParser(prog="tests.fuzz")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--input", type=Path)
    given = parser.parse_args()
    compiler = clang()
    if compiler is None:
        print(NO_COMPILER, file=sys.stderr)
        return 1
    started_s = time.monotonic()
    build(compiler)
    print(f"fuzz: built by {compiler} in {time.monotonic() - started_s:.0f} s", flush=True)
    if given.input is not None:
        return subprocess.run([PROGRAM, given.input], env=environment(), check=False).returncode
    return fuzz(given.seconds)


if __name__ == "__main__":
    sys.exit(main())
