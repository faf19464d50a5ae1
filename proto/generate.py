"""Generates the Python stubs of proto/gen from the .proto files, or checks that they are fresh.

Run `python proto/generate.py` after every change of a .proto file, and commit the result;
`python proto/generate.py --check` exits with status 1 when a stub differs from its source.
"""

# ruff: noqa: INP001  (a script beside the packages, in none of them)
from __future__ import annotations

import argparse
import filecmp
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc  # type: ignore[import-untyped]

PROTO_DIR = Path(__file__).resolve().parent
GEN_DIR = PROTO_DIR / "gen"


def generate(target_dir: Path) -> None:
    """Write the stubs of every .proto file below `target_dir`, which must exist.

    Raises:
        RuntimeError: protoc has refused a file; it has said why on stderr.
    """
    sources = sorted(PROTO_DIR.glob("bulkhead/*/v1/*.proto"))
    services = [path for path in sources if path.name.endswith("_service.proto")]
    well_known = resources.files("grpc_tools") / "_proto"
    include = ["protoc", f"--proto_path={PROTO_DIR}", f"--proto_path={well_known}"]
    messages_out = [f"--python_out={target_dir}", f"--pyi_out={target_dir}"]
    if protoc.main([*include, *messages_out, *map(str, sources)]) != 0:
        raise RuntimeError("protoc: could not generate the messages")
    if protoc.main([*include, f"--grpc_python_out={target_dir}", *map(str, services)]) != 0:
        raise RuntimeError("protoc: could not generate the services")


def stale_paths(fresh_dir: Path) -> list[str]:
    """Return the paths, below proto/gen, of the stubs that differ from those in `fresh_dir`."""
    names = {
        path.relative_to(root).as_posix()
        for root in (fresh_dir, GEN_DIR)
        for path in root.rglob("*_pb2*.py*")
        if "__pycache__" not in path.parts
    }
    _, mismatched, missing = filecmp.cmpfiles(fresh_dir, GEN_DIR, sorted(names), shallow=False)
    return sorted([*mismatched, *missing])


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description="Generate the Python stubs of proto/gen.")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    is_check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as scratch:
        fresh_dir = Path(scratch)
        try:
            generate(fresh_dir)
        except RuntimeError as error:
            print(error, file=sys.stderr)
            return 2
        if is_check:
            stale = stale_paths(fresh_dir)
            for path in stale:
                print(f"proto/gen/{path}: not fresh, run python proto/generate.py", file=sys.stderr)
            return 1 if stale else 0
        shutil.rmtree(GEN_DIR, ignore_errors=True)
        shutil.copytree(fresh_dir, GEN_DIR)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
