"""The order book alone: the engine's matching, compiled without accounts and margin.

For replays of other venues' order flow, for simulations, and for measuring. Records are those of
the engine: `commands.RECORD` in, `events.RECORD` out, and the same commands give the same events,
order ids included, as an engine whose accounts have money enough gives, but for its fees, and for
orders with a date, which end when they are met or swept over and not before the command.

    book = Book(price_ticks_max=1_000_000)
    events = book.apply(
        Command(CommandKind.PLACE, market_id=1, side=SIDE_BUY, price_ticks=100, qty_lots=5,
                expiry_time_s=2**32 - 1).pack())
    [accepted] = unpack(events)
    book.apply(Command(15, order_id=accepted.order_id, qty_lots=3).pack())
    book.apply(Command(CommandKind.CANCEL, order_id=accepted.order_id).pack())

What the kinds mean here; all others are refused with `ValueError`:

* PLACE: market_id, side, time_in_force, flags (0 or `FLAG_POST_ONLY`), price, qty, expiry.
  `account` is the owner's tag, any number: owners do not meet themselves (`SELF_TRADE`), but owner
  0 is nobody and may. `nonce` and `amount` come back in the events and mean nothing. Event
  ORDER_ACCEPTED with the order's id, or ORDER_REJECTED with MARKET_UNKNOWN, EXPIRED,
  QTY_OUT_OF_RANGE, PRICE_OUT_OF_RANGE, SIDE_MISMATCH, TIME_IN_FORCE, POST_ONLY_WOULD_TAKE or
  CAPACITY; then its fills, and ORDER_CANCELED for what neither filled nor rests
  (IMMEDIATE_REMAINDER, FOK_NOT_FILLABLE, SELF_TRADE).
* CANCEL: order_id, account = owner. Event ORDER_CANCELED (USER_CANCELED), else COMMAND_REJECTED.
* 15, amend: order_id, account = owner, qty = the order's new total, its fills included. Less than
  before: the order keeps its place in the queue. Event 21 with price, qty = new total, remaining;
  COMMAND_REJECTED with ORDER_UNKNOWN, or QTY_OUT_OF_RANGE when it is more than before or not more
  than what is filled. A price or a larger quantity is a CANCEL and a PLACE.
* TICK: time passes; sweeps a bounded number of slots for expired orders (ORDER_CANCELED, EXPIRED).

Time is `time_ns` of the commands and never goes back; with 0 in all of them nothing expires.
"""

from typing import Final, final

from matcher.engine.views import Order

__test__: Final[dict[str, str]]

@final
class Book:
    """One instrument's orders by price, then time; one writer.

    Args:
        price_ticks_max: Highest price, 1 to 2^27 - 1. Reserves address space; memory is paid for
            where it is touched.
        order_count_max: Live orders, 1 to 2^28 - 2; beyond it orders are refused (`CAPACITY`).
        market_id: What commands must name, 1 to 65535.

    Raises:
        ValueError: An argument is out of its range.
        MemoryError: The system refuses the address space.
    """

    def __new__(
        cls, price_ticks_max: int, *, order_count_max: int = 4194304, market_id: int = 1
    ) -> Book: ...
    def apply(self, records: bytes | bytearray | memoryview) -> bytes:
        """Apply commands in their order and return what happened.

        Args:
            records: Whole records of `commands.COMMAND_BYTES` bytes, C-contiguous; may be empty.

        Returns:
            Whole records of `events.EVENT_BYTES` bytes, for `events.unpack`.

        Raises:
            ValueError: The buffer ends inside a record, or a record's kind is not one of a book's;
                nothing is applied.
            BufferError: The buffer is not contiguous.
            MemoryError: The system refused memory for the events.

        Complexity: O(1) a command and a fill; a fill-or-kill order walks what it would meet twice.
        """

    def apply_view(self, records: bytes | bytearray | memoryview) -> memoryview:
        """Apply commands as `apply` does, without a copy of the events.

        Returns:
            The event records, read-only. It keeps the book alive; the next command writes over
            what it shows.
        """

    def levels(self, depth: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return the best levels as (bids, asks), each (price_ticks, qty_lots), best first.

        Complexity: O(depth).
        """

    def level(self, side: int, price_ticks: int) -> list[Order]:
        """Return the orders of one level, first in time first; empty where there is none.

        Raises:
            ValueError: The side or the price does not exist.
        """

    def order(self, order_id: int) -> Order | None:
        """Return a live order, its owner as `account`; None when it is gone or never was."""

    @property
    def best_bid_ticks(self) -> int:
        """Highest bid, 0 when there is none."""

    @property
    def best_ask_ticks(self) -> int:
        """Lowest ask, 0 when there is none."""

    @property
    def last_price_ticks(self) -> int:
        """Price of the last fill, 0 before the first."""

    @property
    def order_count(self) -> int:
        """Live orders."""

    @property
    def seq(self) -> int:
        """Commands applied so far."""

    @property
    def time_ns(self) -> int:
        """The book's clock, unix: the latest time of any command."""

    def state_hash(self) -> bytes:
        """Return 32 bytes (BLAKE2b) over everything that decides the future. O(orders)."""

    def check_invariants(self) -> None:
        """Walk the whole book: order, links, totals, best prices, slots.

        Raises:
            AssertionError: With the name of the first invariant that does not hold, and the facts.
        """
