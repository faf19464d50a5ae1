"""The exchange as a state machine: command records in, event records out, views of its state.

Integers only, no clock, no I/O: the same commands give the same events and the same `state_hash`
on any machine. Money is in quote units, prices in ticks, quantities in lots, rates in ppm. An
account is a dense index 1, 2, 3 …; 0 is the insurance fund. Rules are those of SPEC §3.
"""

from collections.abc import Iterator
from typing import Final, Self, final

from margin_core import MarketSpec
from matcher.engine.commands import Command
from matcher.engine.views import Market, Order, Position

__test__: Final[dict[str, str]]

@final
class Engine:
    """Books, isolated positions and liquidations of every market; one writer.

    Capacities reserve address space, memory is paid for where it is touched. Beyond a capacity
    commands are refused with `CAPACITY`.

    Args:
        account_count_max: Accounts without the fund, 1 to 2^24.
        position_count_max: Pairs of account and market, the fund's included, 1 to 2^26.
        order_count_max: Live orders of all markets, 1 to 2^28 - 2.
        nonce_group_count: How many groups of 64 nonces of an account (`nonce >> 6`) are remembered
            before their table is doubled, 1 to 2^28. A call begins that after its commands, and
            later ones move a few entries each; see `nonces.pxd`. Nothing on the path of a command
            allocates.
        hash_key: Key of the hashes of nonces, 64 bits that no client knows. No result and no
            `state_hash` depends on it.

    Raises:
        ValueError: A capacity is out of its range.
        MemoryError: The system refuses the address space.
    """

    def __new__(
        cls,
        *,
        account_count_max: int = 1048576,
        position_count_max: int = 2097152,
        order_count_max: int = 4194304,
        nonce_group_count: int = 1024,
        hash_key: int = 0,
    ) -> Self: ...

    # What changes the state

    def list_market(self, spec: MarketSpec, time_ns: int) -> None:
        """Open a market, in state `OPEN` and without a price; one position goes to its fund.

        Args:
            spec: Its parameters, validated by their own class.
            time_ns: The engine's clock moves here when it is behind; unix.

        Raises:
            ValueError: The market is listed already, or 64 markets or the positions are used up.
            MemoryError: The system refuses the address space of the price ladders.
        """

    def announce_parameters(self, spec: MarketSpec, effective_time_s: int, time_ns: int) -> bytes:
        """Let a listed market's parameters change later (PAR-1, PAR-2).

        Args:
            spec: The complete new parameters.
            effective_time_s: They hold from the first price at or after it; unix. An announcement
                that does not hold yet is replaced.
            time_ns: The engine's clock moves here when it is behind; unix.

        Returns:
            One event, as `apply` gives them: `PARAMETERS_ANNOUNCED`, or `COMMAND_REJECTED` with
            `AMOUNT_OUT_OF_RANGE` for a change that PAR-1 does not admit.

        Raises:
            KeyError: The market is not listed.
            ValueError: The time has no 32 bits.

        Complexity: O(1); the positions' places under the new parameters are prepared at prices,
        4,096 at a time.
        """

    def announced_spec(self, market_id: int) -> MarketSpec | None:
        """Return the parameters that were announced and do not hold yet, None without any.

        Raises:
            KeyError: The market is not listed.
        """

    def register_account(self) -> int:
        """Return the index of a new account without money, one above the last.

        Raises:
            ValueError: `account_count_max` accounts exist.
        """

    def apply(self, records: bytes | bytearray | memoryview) -> bytes:
        """Apply commands in their order and return what happened.

        A business refusal is an event (`ORDER_REJECTED`, `COMMAND_REJECTED`), never an exception.

        Args:
            records: Whole records of `commands.COMMAND_BYTES` bytes, C-contiguous; may be empty.

        Returns:
            Whole records of `events.EVENT_BYTES` bytes, for `events.unpack`.

        Raises:
            ValueError: The buffer ends inside a record, or a record's kind does not exist; nothing
                is applied.
            BufferError: The buffer is not contiguous.
            MemoryError: The system refused memory in the middle: restart from the journal.

        Complexity: A place, cancel or fill is O(1) in the number of orders and positions. A price
        is O(triggers + touched and liquidated · log positions), funding settled or not, and
        O(positions) once when it comes to ADL. A cancel by nonce is O(the account's orders). A
            fill-or-kill order walks the orders that it would meet twice.
        """

    def apply_view(self, records: bytes | bytearray | memoryview) -> memoryview:
        """Apply commands as `apply` does, without a copy of the events.

        Returns:
            The event records, read-only. It keeps the engine alive; the next command writes over
            what it shows, or, after more than a million records, leaves zeroes there.
        """

    def apply_one(self, command: Command) -> bytes:
        """Apply one command. Errors as in `apply`, and `struct.error` from its packing."""

    def place(
        self,
        account: int,
        market_id: int,
        side: int,
        price_ticks: int,
        qty_lots: int,
        margin_quote: int,
        nonce: int,
        expiry_time_s: int,
        time_ns: int,
        time_in_force: int = 0,
        flags: int = 0,
        /,
    ) -> int:
        """Place one order: as `apply` of one PLACE, without a record to pack.

        Returns:
            The order's id, also when it filled or ended at once; when it was refused the
            `RejectReason` below 0. `events` has the rest.

        Raises:
            OverflowError: A number does not fit its field; nothing is applied.
            MemoryError: As in `apply`.
        """

    def cancel(self, account: int, order_id: int, time_ns: int, /) -> int:
        """Cancel one order: as `apply` of one CANCEL. Returns and raises as `place`."""

    def events(self) -> memoryview:
        """Return the event records of the last call that changed the state, as `apply_view`."""

    # Accounts and positions

    def free_quote(self, account: int) -> int:
        """Return the account's free balance, reservations included. `KeyError`: unknown account."""

    def reserved_quote(self, account: int) -> int:
        """Return what its orders reserve of the free balance (ORD-3). `KeyError`: unknown."""

    def position(self, account: int, market_id: int) -> Position | None:
        """Return the account's position; None when it never had to do with the market.

        A flat position has 0 lots, entry value and collateral. Requirements and equity are at the
        mark, prices with the funding of now.

        Raises:
            KeyError: The account is not registered or the market not listed.

        Complexity: O(tiers).
        """

    def fund(self, market_id: int) -> Position:
        """Return the position of the market's insurance fund. `KeyError`: not listed."""

    @property
    def is_risk_paused(self) -> bool:
        """Whether the guardian's pause holds (GOV-4)."""

    @property
    def trial_steps(self) -> int:
        """Orders and parts of icebergs that trials have looked at so far (MATCH-4, TRIG-1)."""

    def fees_quote(self) -> int:
        """Return the fees that the venue has earned."""

    def deposits_quote(self) -> int:
        """Return the sum of all deposits, the fund's included."""

    def withdrawals_quote(self) -> int:
        """Return the sum of all withdrawals."""

    def deposit_seq(self) -> int:
        """Return the chain's number of the last deposit; the next must be one more."""

    # Markets and orders

    def market(self, market_id: int) -> Market:
        """Return prices, funding and open interest of a market. `KeyError`: not listed."""

    def market_ids(self) -> list[int]:
        """Return the listed markets in the order of their listing."""

    def spec(self, market_id: int) -> MarketSpec:
        """Return the parameters of a market. `KeyError`: not listed."""

    def book(
        self, market_id: int, depth: int
    ) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """Return the best levels as (bids, asks), each (price_ticks, qty_lots), best first.

        Args:
            market_id: A listed market.
            depth: Most levels of a side.

        Raises:
            KeyError: The market is not listed.

        Complexity: O(depth).
        """

    def queue(self, market_id: int, side: int, price_ticks: int) -> list[int]:
        """Return the ids of the orders that rest at a price, the first to fill first.

        Args:
            market_id: A listed market.
            side: 0 buy, 1 sell.
            price_ticks: Any price; nobody rests where there is none.

        Raises:
            KeyError: The market is not listed.
            ValueError: There is no such side.

        Complexity: O(orders at the price).
        """

    def order(self, order_id: int) -> Order | None:
        """Return a live order; None when it never was or is filled, cancelled or refused."""

    def order_id(self, account: int, nonce: int) -> int:
        """Return the id of the account's live order with the nonce, 0 when there is none.

        Raises:
            KeyError: The account is not registered.

        Complexity: O(the account's orders).
        """

    def open_orders(self, account: int) -> list[int]:
        """Return the ids of the account's live orders, newest first within each market.

        Raises:
            KeyError: The account is not registered.
        """

    @property
    def order_count(self) -> int:
        """Live orders of all markets, those that wait for a trigger included."""

    # The whole

    @property
    def seq(self) -> int:
        """Commands applied so far."""

    @property
    def time_ns(self) -> int:
        """The engine's clock, unix: the latest time of any command or listing."""

    @property
    def account_count(self) -> int:
        """Registered accounts, without the fund."""

    def state_hash(self) -> bytes:
        """Return 32 bytes (BLAKE2b) over everything that decides the future.

        Equal after the same commands; the split of the commands into buffers does not matter.

        Complexity: O(state).
        """

    def snapshot(self) -> Iterator[bytes]:
        """Yield the whole state, piece by piece, each of at most 1 MiB; the engine writes no file.

        It holds no addresses: the same commands give the same bytes. An engine restored from it
        goes on as this one would have, to the same events and `state_hash`. It can be read by
        builds with the same layout of the state alone; the journal is what lasts.

        Raises:
            RuntimeError: The engine went on between two pieces.
            MemoryError: The system refused memory, now or before.

        Complexity: O(state in use), whatever the capacities.
        """

    @staticmethod
    def restore(data: bytes | bytearray | memoryview) -> Engine:
        """Return an engine in the state of a snapshot, with its capacities.

        Args:
            data: The pieces of `snapshot`, joined. Its checksum finds damage, not malice: take
                snapshots from where the journal is taken from.

        Raises:
            ValueError: These bytes are no snapshot, truncated, damaged, or of another layout.
            MemoryError: The system refuses the memory.

        Complexity: O(state in use).
        """

    def check_invariants(self) -> None:
        """Walk the whole state and prove CONS-1, CONS-2, the books and the reservations.

        Raises:
            AssertionError: With the name of the first invariant that does not hold, and the facts.

        Complexity: O(state); for tests and audits.
        """
