"""A batch under construction: its tables, its items, and what both cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from settlement.batch.codec import (
    HEADER_BYTES,
    fields_bytes,
    item_bytes,
    order_bytes,
    root_bytes,
)
from settlement.batch.items import INSURANCE_ACCOUNT, NO_INSTRUCTIONS, SignedOrder
from settlement.batch.ordering import in_order
from settlement.batch.payload import (
    FLAG_BULK,
    FLAG_INSTRUCTIONS,
    FLAG_POST_ONLY,
    FLAG_REDUCE_ONLY,
    FLAG_SELL,
    FLAG_SIGNER_SHIFT,
    FLAG_TIME_IN_FORCE_SHIFT,
    FLAG_TRIGGER,
    AccountRow,
    Item,
    MarketRow,
    OrderRow,
    Payload,
    PositionRow,
    RootRow,
    SignerKind,
)

if TYPE_CHECKING:
    from settlement.batch.gas import GasModel

MARKET_COUNT_MAX = 0xFF
TABLE_COUNT_MAX = 0xFFFF

MARKET_BYTES = fields_bytes(MarketRow.FIELDS)
ACCOUNT_BYTES = fields_bytes(AccountRow.FIELDS)
POSITION_BYTES = fields_bytes(PositionRow.FIELDS)


class Bucket(NamedTuple):
    """The key of a position: whose and in which market."""

    account: bytes
    market_id: int


class Tree(NamedTuple):
    """The key of a tree of orders: whose, and its root."""

    account: bytes
    root: bytes


class Needs(NamedTuple):
    """What an item refers to, in the order in which its rows enter the tables."""

    orders: tuple[SignedOrder, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    accounts: tuple[bytes, ...] = ()
    market_ids: tuple[int, ...] = ()

    def market_id(self) -> int | None:
        """Return the one market that the item is of, None for a withdrawal."""
        for order in self.orders:
            return order.market_id
        for bucket in self.buckets:
            return bucket.market_id
        return next(iter(self.market_ids), None)


class Cost(NamedTuple):
    """Size and gas of a part of a batch."""

    size_bytes: int
    gas: int

    def plus(self, other: Cost) -> Cost:
        """Return the sum of both."""
        return Cost(self.size_bytes + other.size_bytes, self.gas + other.gas)


class Growth:
    """The rows that some needs would add to a draft's tables."""

    def __init__(self, draft: Draft, needs: Needs) -> None:
        self.orders = [o for o in dict.fromkeys(needs.orders) if o.order_id not in draft.orders]
        self.trees = {
            tree: order
            for order in self.orders
            if (tree := _tree(order)) is not None and tree not in draft.trees
        }
        buckets = [Bucket(o.account, o.market_id) for o in self.orders] + list(needs.buckets)
        self.buckets = [b for b in dict.fromkeys(buckets) if b not in draft.positions]
        accounts = [b.account for b in self.buckets] + list(needs.accounts)
        self.accounts = [a for a in dict.fromkeys(accounts) if a not in draft.accounts]
        market_ids = [b.market_id for b in self.buckets] + list(needs.market_ids)
        self.market_ids = [m for m in dict.fromkeys(market_ids) if m not in draft.markets]


class Draft:
    """Tables and items of one batch. Only grows; `payload` seals it."""

    def __init__(self, *, gas_model: GasModel, clock_time_s: int) -> None:
        self._gas_model = gas_model
        self._clock_time_s = clock_time_s
        self._order_rows: list[OrderRow] = []
        self._items: list[Item] = []
        self.item_seqs: list[int] = []
        self.markets: dict[int, int] = {}
        self.accounts: dict[bytes, int] = {}
        self.positions: dict[Bucket, int] = {}
        self.orders: dict[int, int] = {}
        self.trees: dict[Tree, int] = {}
        self._root_rows: list[RootRow] = []
        self.cost = Cost(HEADER_BYTES, gas_model.batch + HEADER_BYTES * gas_model.calldata_byte)

    def cost_of(
        self, growth: Growth, item_types: list[type[Item]], observation_count: int = 1
    ) -> Cost:
        """Return what these rows and items would add; a price row has so many observations."""
        model = self._gas_model
        size_bytes = (
            len(growth.market_ids) * MARKET_BYTES
            + len(growth.accounts) * ACCOUNT_BYTES
            + len(growth.buckets) * POSITION_BYTES
            + sum(order_bytes(_order_row(order, 0, 0)) for order in growth.orders)
            + sum(root_bytes(_root_row(order, 0)) for order in growth.trees.values())
            + sum(item_bytes(item_type, observation_count) for item_type in item_types)
        )
        gas = (
            len(growth.market_ids) * model.market
            + len(growth.accounts) * model.account
            + len(growth.buckets) * model.position
            + len(growth.orders) * model.order
            + len(growth.trees) * model.root
            + _wallets(growth) * model.wallet_signature
            + sum(model.items[item_type] for item_type in item_types)
            + (observation_count - 1) * model.observation
            + size_bytes * model.calldata_byte
        )
        return Cost(size_bytes, gas)

    def has_room(self, growth: Growth, item_types: list[type[Item]]) -> bool:
        """Return whether the counts of every table still fit their fields."""
        return (
            len(self.markets) + len(growth.market_ids) <= MARKET_COUNT_MAX
            and len(self.accounts) + len(growth.accounts) <= TABLE_COUNT_MAX
            and len(self.positions) + len(growth.buckets) <= TABLE_COUNT_MAX
            and len(self.orders) + len(growth.orders) <= TABLE_COUNT_MAX
            and len(self.trees) + len(growth.trees) <= TABLE_COUNT_MAX
            and len(self._items) + len(item_types) <= TABLE_COUNT_MAX
        )

    def grow(self, growth: Growth, cost: Cost) -> None:
        """Add rows, and the cost of them and of the items that follow."""
        for market_id in growth.market_ids:
            self.markets[market_id] = len(self.markets)
        for account in growth.accounts:
            self.accounts[account] = len(self.accounts)
        for bucket in growth.buckets:
            self.positions[bucket] = len(self.positions)
        for tree, order in growth.trees.items():
            self.trees[tree] = len(self.trees)
            self._root_rows.append(_root_row(order, self.accounts[order.account]))
        for order in growth.orders:
            self.orders[order.order_id] = len(self.orders)
            position = self.position(order.account, order.market_id)
            signed_tree = _tree(order)
            root = 0 if signed_tree is None else self.trees[signed_tree]
            self._order_rows.append(_order_row(order, position, root))
        self.cost = self.cost.plus(cost)

    def append(self, item: Item, *, item_seq: int) -> None:
        """Add an item; `item_seq` is the feed's, 0 for a CLOCK item."""
        self._items.append(item)
        self.item_seqs.append(item_seq)

    def position(self, account: bytes, market_id: int) -> int:
        """Return the index of a position that is in the table."""
        return self.positions[Bucket(account, market_id)]

    def fund_position(self, market_id: int) -> int:
        """Return the index of the insurance fund's position in a market."""
        return self.position(INSURANCE_ACCOUNT, market_id)

    def payload(self, *, sequence: int, epoch: int) -> Payload:
        """Return the finished parts, tables in order."""
        parts = Payload(
            sequence=sequence,
            epoch=epoch,
            clock_time_s=self._clock_time_s,
            markets=tuple(MarketRow(market_id=market_id) for market_id in self.markets),
            accounts=tuple(AccountRow(address=account) for account in self.accounts),
            positions=tuple(
                PositionRow(
                    account=self.accounts[bucket.account], market=self.markets[bucket.market_id]
                )
                for bucket in self.positions
            ),
            roots=tuple(self._root_rows),
            orders=tuple(self._order_rows),
            items=tuple(self._items),
        )
        return in_order(parts)


def _tree(order: SignedOrder) -> Tree | None:
    return None if order.proof is None else Tree(order.account, order.proof.root)


def _wallets(growth: Growth) -> int:
    """Return how many signatures of contract wallets some rows bring: one a tree, one an order."""
    orders = [order for order in growth.orders if order.proof is None]
    signers = [order.signer for order in [*orders, *growth.trees.values()]]
    return signers.count(SignerKind.WALLET)


def _root_row(order: SignedOrder, account: int) -> RootRow:
    assert order.proof is not None
    return RootRow(
        account=account,
        signer=order.signer,
        height=len(order.proof.siblings),
        root=order.proof.root,
        signature=order.signature,
    )


def _order_row(order: SignedOrder, position: int, root: int) -> OrderRow:
    proof = order.proof
    flags = order.time_in_force << FLAG_TIME_IN_FORCE_SHIFT
    flags |= FLAG_SELL if order.side else 0
    flags |= FLAG_POST_ONLY if order.is_post_only else 0
    flags |= FLAG_REDUCE_ONLY if order.is_reduce_only else 0
    flags |= FLAG_TRIGGER if order.trigger_kind else 0
    flags |= FLAG_BULK if proof else order.signer << FLAG_SIGNER_SHIFT
    flags |= FLAG_INSTRUCTIONS if order.instructions != NO_INSTRUCTIONS else 0
    return OrderRow(
        position=position,
        flags=flags,
        price_ticks=order.price_ticks,
        qty_lots=order.qty_lots,
        margin_quote=order.margin_quote,
        fee_ppm_max=order.fee_ppm_max,
        nonce=order.nonce,
        expiry_time_s=order.expiry_time_s,
        trigger_kind=order.trigger_kind,
        trigger_price_ticks=order.trigger_price_ticks,
        instructions=order.instructions,
        signature=b"" if proof else order.signature,
        root=root,
        leaf_index=proof.leaf_index if proof else 0,
        siblings=b"".join(proof.siblings) if proof else b"",
    )
