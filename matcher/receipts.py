"""How far settlement items have come on chain: receipts from the journal, progress from memory."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from matcher.engine.events import Event, EventKind
from matcher.envelope import INSURANCE_ACCOUNT, BatchReceipt
from matcher.feed.account_events import SettlementState, SettlementStateChanged
from matcher.feed.settlement import TICK, SettlementLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matcher.accounts import Accounts
    from matcher.feed.accounts import AccountFeed

PROGRESS_COUNT_MAX: Final = 4_096
_BOTH_ACCOUNTS: Final = frozenset(
    {EventKind.FILL, EventKind.LIQUIDATION_FILL, EventKind.ADL, EventKind.FUND_FILL}
)
_FIRST_ACCOUNT: Final = frozenset(
    {
        EventKind.COLLATERAL_MOVED,
        EventKind.WITHDRAWN,
        EventKind.AUTO_TOPPED_UP,
        EventKind.FORCED_SERVED,
        EventKind.POSITION_SETTLED,
    }
)


class Progress(NamedTuple):
    """A batch that has no receipt yet; `tx_hash` empty while BATCHED."""

    batch_seq: int
    state: SettlementState
    first_item_seq: int
    last_item_seq: int
    tx_hash: bytes


class Receipts:
    """The receipts of all batches in order, and the progress of those to come."""

    def __init__(
        self, settlement: SettlementLog, accounts: Accounts, account_feed: AccountFeed
    ) -> None:
        """Read items from `settlement`, and tell accounts through `account_feed`."""
        self._settlement = settlement
        self._accounts = accounts
        self._account_feed = account_feed
        self._receipts: list[BatchReceipt] = []
        self._progress: dict[int, Progress] = {}

    @property
    def batch_seq(self) -> int:
        """Batch of the last receipt; 0 before the first."""
        return len(self._receipts)

    @property
    def settled_item_seq(self) -> int:
        """Last item that a receipt covers; 0 before the first."""
        return self._receipts[-1].last_item_seq if self._receipts else 0

    def is_next(self, receipt: BatchReceipt) -> bool:
        """Tell whether a receipt follows the last one without a gap and covers known items."""
        return (
            receipt.batch_seq == self.batch_seq + 1
            and receipt.first_item_seq == self.settled_item_seq + 1
            and receipt.first_item_seq <= receipt.last_item_seq <= self._settlement.item_seq
        )

    def add(
        self, receipt: BatchReceipt, *, command_seq: int, time_ns: int
    ) -> list[tuple[int, int]]:
        """Take the next receipt, tell its accounts, and return the (account, market) to freeze.

        A receipt that does not follow the last one is passed over.
        """
        if not self.is_next(receipt):
            return []
        self._receipts.append(receipt)
        self._progress.pop(receipt.batch_seq, None)
        changed = SettlementStateChanged(
            SettlementState.SETTLED,
            receipt.first_item_seq,
            receipt.last_item_seq,
            receipt.batch_seq,
            receipt.tx_hash,
            receipt.block_number,
            reason=0,
        )
        for index in self._accounts_in(receipt.first_item_seq, receipt.last_item_seq):
            self._tell(index, changed, command_seq, time_ns)
        frozen: dict[tuple[int, int], None] = {}
        for item_seq, reason in receipt.rejected_items:
            (item,) = self._settlement.items(item_seq, item_seq)
            busted = changed._replace(
                state=SettlementState.BUSTED,
                first_item_seq=item_seq,
                last_item_seq=item_seq,
                reason=reason,
            )
            for index in accounts_of(item.event):
                self._tell(index, busted, command_seq, time_ns)
                if item.event.market_id:
                    frozen[index, item.event.market_id] = None
        return list(frozen)

    def inform(self, progress: Progress, time_ns: int) -> None:
        """Note the progress of a batch without receipt, and tell the sessions that are open."""
        known = self._progress.get(progress.batch_seq)
        is_old = progress.batch_seq <= self.batch_seq
        if is_old or (known is not None and known.state >= progress.state):
            return
        self._progress[progress.batch_seq] = progress
        while len(self._progress) > PROGRESS_COUNT_MAX:
            del self._progress[min(self._progress)]
        changed = SettlementStateChanged(
            progress.state,
            progress.first_item_seq,
            progress.last_item_seq,
            progress.batch_seq,
            progress.tx_hash,
            block_number=0,
            reason=0,
        )
        for index in self._accounts_in(progress.first_item_seq, progress.last_item_seq):
            self._account_feed.inform(self._accounts.get_address(index), changed, time_ns)

    def state_of(self, item_seq: int) -> SettlementStateChanged:
        """Return where an existing item stands; batch_seq is 0 while MATCHED."""
        if item_seq <= self.settled_item_seq:
            return self._settled_state(item_seq)
        for progress in self._progress.values():
            if progress.first_item_seq <= item_seq <= progress.last_item_seq:
                return SettlementStateChanged(
                    progress.state, item_seq, item_seq, progress.batch_seq, progress.tx_hash, 0, 0
                )
        return SettlementStateChanged(SettlementState.MATCHED, item_seq, item_seq, 0, b"", 0, 0)

    def _settled_state(self, item_seq: int) -> SettlementStateChanged:
        index = bisect_left(self._receipts, item_seq, key=lambda one: one.last_item_seq)
        receipt = self._receipts[index]
        reason = dict(receipt.rejected_items).get(item_seq, 0)
        return SettlementStateChanged(
            SettlementState.BUSTED if reason else SettlementState.SETTLED,
            item_seq,
            item_seq,
            receipt.batch_seq,
            receipt.tx_hash,
            receipt.block_number,
            reason,
        )

    def _accounts_in(self, first_item_seq: int, last_item_seq: int) -> dict[int, None]:
        """Return the accounts that the items touch, in the order in which they first do."""
        found: dict[int, None] = {}
        step = 1_024
        edges = [*range(first_item_seq, last_item_seq + 1, step), last_item_seq + 1]
        for first, end in pairwise(edges):
            for item in self._settlement.items(first, end - 1):
                found.update(dict.fromkeys(accounts_of(item.event)))
        return found

    def _tell(
        self, index: int, body: SettlementStateChanged, command_seq: int, time_ns: int
    ) -> None:
        address = self._accounts.get_address(index)
        self._account_feed.add(address, body, command_seq=command_seq, time_ns=time_ns)


def accounts_of(event: Event) -> Iterator[int]:
    """Yield the accounts that an item's event touches, the insurance fund left out."""
    if event.kind == TICK:
        return
    both = event.kind in _BOTH_ACCOUNTS
    if (both or event.kind in _FIRST_ACCOUNT) and event.account != INSURANCE_ACCOUNT:
        yield event.account
    if (both or event.kind == EventKind.TAKEOVER) and event.account_2 != INSURANCE_ACCOUNT:
        yield event.account_2
