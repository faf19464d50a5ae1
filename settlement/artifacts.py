"""Reads the committed contract artifacts of settlement/abi."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from settlement.errors import ArtifactError

ABI_DIR: Final = Path(__file__).resolve().parent / "abi"


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A contract's interface and creation code."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: str


def load_artifact(name: str, folder: Path = ABI_DIR) -> Artifact:
    """Return one artifact. Raises `ArtifactError` when it is missing or damaged."""
    path = folder / f"{name}.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        bytecode = content["bytecode"]
        if isinstance(bytecode, dict):
            bytecode = bytecode["object"]
        return Artifact(name=name, abi=content["abi"], bytecode=bytecode)
    except OSError as exc:
        raise ArtifactError(f"{path}: {exc.strerror or exc}; run make sol") from exc
    except (ValueError, KeyError, TypeError) as exc:
        raise ArtifactError(f"{path}: not an artifact ({exc}); run make sol") from exc
