"""The venue that the tests of the shell work on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.matcher.builders import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A venue with one market, an index price and three accounts."""
    with Bench() as venue:
        yield venue
