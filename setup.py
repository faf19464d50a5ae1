"""Declares the packages and builds every `.pyx` of margin_core and matcher/engine."""

import os
import sys
import zlib
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, find_namespace_packages, setup

DEBUG = os.environ.get("BULKHEAD_DEBUG") == "1"
SANITIZERS = os.environ.get("BULKHEAD_SANITIZE", "")  # for example "address,undefined"
KERNELS = ("margin_core", "matcher/engine")
# "0": install the packages only; `make` then compiles in place, in parallel and what has changed.
HAS_EXTENSIONS = os.environ.get("BULKHEAD_EXTENSIONS") != "0"

DIRECTIVES = {
    "language_level": "3str",
    "auto_pickle": False,
    "boundscheck": DEBUG,
    "cdivision": False,
    "embedsignature": True,
    "freethreading_compatible": True,
    "initializedcheck": DEBUG,
    "wraparound": False,
}
# Python compiles with -fwrapv, which switches the checks of signed overflow off.
SANITIZE = [f"-fsanitize={SANITIZERS}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
# Cython's overflowcheck does not know 128-bit integers; the compiler traps signed overflow instead.
TRAP = ["-fno-wrapv", "-fsanitize=signed-integer-overflow", "-fsanitize-undefined-trap-on-error"]
# An engine is one file in which all that places an order is inline, up to the kernel's arithmetic.
# By default gcc stops when the file has grown by two fifths, and calls what each command needs.
INLINE = [
    f"--param={name}"
    for name in (
        "inline-unit-growth=200",
        "large-function-growth=1000",
        "large-unit-insns=100000",
        "max-inline-insns-single=400",
    )
]
COMPILE = ["-O1", "-g", "-UNDEBUG", *TRAP] if DEBUG else ["-O3", "-DNDEBUG", *INLINE]
if SANITIZERS:
    COMPILE = ["-O1", "-g", "-UNDEBUG", "-fno-wrapv", *SANITIZE]
# Cython declares every function of a header inline, also those that we want out of line.
COMPILE += ["-Wno-attributes"]
# What declares the engine's state, and how it is saved: a snapshot belongs to one layout.
LAYOUT_SOURCES = (
    "margin_core/types.pxd",
    "matcher/engine/types.pxd",
    "matcher/engine/snapshot.pyx",
)
LAYOUT = zlib.crc32(b"".join(Path(name).read_bytes() for name in LAYOUT_SOURCES))


def extensions() -> list[Extension]:
    """Return one extension per `.pyx` below the kernels, in name order."""
    sources = sorted(path for kernel in KERNELS for path in Path(kernel).rglob("*.pyx"))
    return [
        Extension(
            ".".join(path.with_suffix("").parts),
            [str(path)],
            define_macros=[("BULKHEAD_LAYOUT", f"0x{LAYOUT:08x}u")],
            extra_compile_args=COMPILE,
            extra_link_args=SANITIZE[:1] if SANITIZERS else [],
        )
        for path in sources
    ]


PACKAGES = [
    *find_namespace_packages(include=["margin_core*", "matcher*"]),
    *find_namespace_packages(include=["settlement*"], exclude=["settlement.contracts*"]),
    *find_namespace_packages("proto/gen", include=["bulkhead*"]),
    *find_namespace_packages("proto", include=["bulkhead_signing*"]),
]
PACKAGE_DIR = {"bulkhead": "proto/gen/bulkhead", "bulkhead_signing": "proto/bulkhead_signing"}

setup(
    packages=[name for name in PACKAGES if "__pycache__" not in name],
    package_dir=PACKAGE_DIR,
    package_data={"": ["*.pxd", "*.pyi", "py.typed", "*.json"]},
    ext_modules=cythonize(
        extensions() if HAS_EXTENSIONS else [],
        build_dir="build/cython-debug" if DEBUG else "build/cython",
        compiler_directives=DIRECTIVES,
        emit_linenums=DEBUG,
        annotate=DEBUG,
        force="--force" in sys.argv,
    ),
    zip_safe=False,
)
