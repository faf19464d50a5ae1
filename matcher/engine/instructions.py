"""The instruction word of a signed order: 32 bytes, big endian, zero for a plain order (ORD-4)."""

from __future__ import annotations

import enum
import struct
from typing import Final, NamedTuple

INSTRUCTION_BYTES: Final = 32
_WORD: Final = struct.Struct(">BBIIIQ10s")
_NO_BYTES: Final = bytes(10)

FLAG_SLIDES: Final = 1  # a post-only order goes one tick behind the opposite best price
FLAG_ON_LAST: Final = 2  # the trigger watches the last price, not the mark
FLAG_ATTACHED: Final = 4  # a reduce-only order ends when the position goes flat


class SelfTradePrevention(enum.IntEnum):
    """What an incoming order does when it meets an order of its own account (STP-1)."""

    CANCEL_NEWEST = 0
    CANCEL_OLDEST = 1
    CANCEL_BOTH = 2
    DECREMENT = 3


class Instructions(NamedTuple):
    """What an order asks for beyond its price and quantity. All 0: a plain order.

    Attributes:
        self_trade: A `SelfTradePrevention`.
        flags: `FLAG_SLIDES`, `FLAG_ON_LAST`, `FLAG_ATTACHED`.
        display_lots: Lots that the book shows at once; 0: all.
        min_lots: Fewest lots that must fill on entry; 0: none.
        trailing_ticks: Distance at which the trigger follows its reference price; 0: it stands.
        oco_nonce: Nonce of the sibling that ends when this order ends or fires; 0: none.
    """

    self_trade: int = 0
    flags: int = 0
    display_lots: int = 0
    min_lots: int = 0
    trailing_ticks: int = 0
    oco_nonce: int = 0

    def pack(self) -> bytes:
        """Return the signed word. Raises `struct.error` when a field is out of its range."""
        return _WORD.pack(*self, _NO_BYTES)

    @classmethod
    def unpack(cls, word: bytes) -> Instructions:
        """Undo `pack`. Raises `ValueError` when a reserved bit is set, `struct.error` on length."""
        *found, reserved = _WORD.unpack(word)
        if reserved != _NO_BYTES:
            raise ValueError(f"instructions: reserved bytes are {reserved.hex()}, expected zeros")
        return cls._make(found)


PLAIN: Final = Instructions()
