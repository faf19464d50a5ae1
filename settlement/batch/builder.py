"""Builds batches out of the settlement feed: the same items give the same bytes."""

from __future__ import annotations

from typing import Final, assert_never

import msgspec

from settlement.batch.codec import encode_payload
from settlement.batch.draft import Bucket, Cost, Draft, Growth, Needs
from settlement.batch.gas import GAS_MODEL, GasModel
from settlement.batch.items import (
    INSURANCE_ACCOUNT,
    Adl,
    AnyItem,
    AutoTopUp,
    CollateralMove,
    Fill,
    Forced,
    FundFill,
    Funding,
    LiquidationFill,
    Parameters,
    PositionSettled,
    PriceRow,
    SettledItem,
    SignedOrder,
    Takeover,
    Tick,
    Withdrawal,
)
from settlement.batch.payload import (
    AdlItem,
    AutoTopUpItem,
    ClockItem,
    CollateralItem,
    FillAtItem,
    FillItem,
    ForcedItem,
    FundFillAtItem,
    FundFillItem,
    FundingItem,
    Item,
    LiquidationFillAtItem,
    LiquidationFillItem,
    Observation,
    ParametersItem,
    PriceItem,
    SettleMarketItem,
    TakeoverItem,
    WithdrawalItem,
)

NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
GAS_MAX: Final = 15_000_000
SIZE_BYTES_MAX: Final = 120_000

RECORD_TYPES: Final[dict[type[SettledItem], type[Item]]] = {
    Fill: FillItem,
    LiquidationFill: LiquidationFillItem,
    Takeover: TakeoverItem,
    Adl: AdlItem,
    FundFill: FundFillItem,
    Funding: FundingItem,
    CollateralMove: CollateralItem,
    Withdrawal: WithdrawalItem,
    Parameters: ParametersItem,
    AutoTopUp: AutoTopUpItem,
    Forced: ForcedItem,
    PositionSettled: SettleMarketItem,
}
# What these are when they do not happen at the maker's signed price (BATCH-6).
RECORD_TYPES_AT: Final[dict[type[SettledItem], type[Item]]] = {
    Fill: FillAtItem,
    LiquidationFill: LiquidationFillAtItem,
    FundFill: FundFillAtItem,
}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """When a batch closes: at the end of its interval of engine time, or before it grows over."""

    interval_ms: int
    gas_max: int = GAS_MAX
    size_bytes_max: int = SIZE_BYTES_MAX


class BuilderState(msgspec.Struct, frozen=True, kw_only=True):
    """What the builder must know to go on after a closed batch. Kept with that batch."""

    next_sequence: int = 1
    next_item_seq: int = 1
    rows: dict[int, PriceRow] = {}  # market_id → the latest row
    emitted: dict[int, PriceRow] = {}  # market_id → the row that the chain knows


class BuiltBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A closed batch. `item_seqs[i]` is the feed's number of payload item i, 0 for CLOCK items."""

    sequence: int
    epoch: int
    payload: bytes
    first_item_seq: int
    last_item_seq: int
    item_seqs: tuple[int, ...]
    gas_estimate: int
    first_time_ns: int
    state_after: BuilderState


class FeedError(ValueError):
    """The feed is not what it must be: a gap, time going back, an order never sent."""


class BatchBuilder:
    """Takes feed items one by one and returns each batch when it closes."""

    def __init__(
        self,
        state: BuilderState,
        *,
        epoch: int,
        limits: Limits,
        gas_model: GasModel = GAS_MODEL,
    ) -> None:
        self._epoch = epoch
        self._limits = limits
        self._gas_model = gas_model
        self._sequence = state.next_sequence
        self._item_seq = state.next_item_seq
        self._first_item_seq = state.next_item_seq
        self._rows = dict(state.rows)
        self._emitted = dict(state.emitted)
        self._orders: dict[int, SignedOrder] = {}
        self._time_ns = 0
        self._clock_time_s = 0
        self._first_time_ns = 0
        self._draft: Draft | None = None

    def add_order(self, order: SignedOrder) -> None:
        """Remember an order that later items refer to."""
        self._orders[order.order_id] = order

    def add(self, item: AnyItem) -> BuiltBatch | None:
        """Take the next item; return the batch that it closes. The item itself goes into the next.

        Raises:
            FeedError: The item is not the next one, or it refers to an order never sent.
        """
        self._expect_next(item)
        closed = self._close() if self._is_interval_over(item.time_ns) else None
        match item:
            case PriceRow():
                self._rows[item.market_id] = item
            case Tick():
                pass
            case _:
                closed = self._add_settled(item) or closed
        self._item_seq = item.item_seq + 1
        self._time_ns = item.time_ns
        return closed

    def state(self) -> BuilderState:
        """Return the state in which a builder goes on from here, nothing pending."""
        return BuilderState(
            next_sequence=self._sequence,
            next_item_seq=self._item_seq,
            rows=dict(self._rows),
            emitted=dict(self._emitted),
        )

    def _expect_next(self, item: AnyItem) -> None:
        if item.item_seq != self._item_seq:
            raise FeedError(f"item_seq {item.item_seq}, expected {self._item_seq}")
        if item.time_ns < self._time_ns:
            raise FeedError(f"item {item.item_seq}: time {item.time_ns} ns after {self._time_ns}")

    def _is_interval_over(self, time_ns: int) -> bool:
        if self._draft is None:
            return False
        interval_ns = self._limits.interval_ms * NS_PER_MS
        return time_ns // interval_ns != self._first_time_ns // interval_ns

    def _add_settled(self, item: SettledItem) -> BuiltBatch | None:
        needs = self._needs(item)
        if self._draft is None:
            self._open(item.time_ns)
        assert self._draft is not None
        if self._put(self._draft, item, needs):
            return None
        closed = self._close()
        if not self._put(self._open(item.time_ns), item, needs):
            raise FeedError(f"item {item.item_seq} alone is over the limits of a batch")
        return closed

    def _open(self, time_ns: int) -> Draft:
        self._first_time_ns = time_ns
        self._clock_time_s = time_ns // NS_PER_S
        self._draft = Draft(gas_model=self._gas_model, clock_time_s=self._clock_time_s)
        return self._draft

    def _put(self, draft: Draft, item: SettledItem, needs: Needs) -> bool:
        """Add the item with the clock and price that it needs; False if it would grow over."""
        time_s = item.time_ns // NS_PER_S
        row = self._row_to_emit(needs)
        item_types: list[type[Item]] = [self._record_type(item)]
        item_types += [] if time_s == self._clock_time_s else [ClockItem]
        item_types += [] if row is None else [PriceItem]
        growth = Growth(draft, needs)
        observation_count = 1 if row is None else max(1, len(row.observations))
        cost = draft.cost_of(growth, item_types, observation_count)
        if not self._is_within_limits(draft, growth, cost, item_types):
            return False
        draft.grow(growth, cost)
        if time_s != self._clock_time_s:
            draft.append(ClockItem(time_s=time_s), item_seq=0)
            self._clock_time_s = time_s
        if row is not None:
            draft.append(_price_item(row, draft), item_seq=row.item_seq)
            self._emitted[row.market_id] = row
        draft.append(self._record(item, draft), item_seq=item.item_seq)
        return True

    def _is_within_limits(
        self, draft: Draft, growth: Growth, cost: Cost, item_types: list[type[Item]]
    ) -> bool:
        total = draft.cost.plus(cost)
        return (
            total.gas <= self._limits.gas_max
            and total.size_bytes <= self._limits.size_bytes_max
            and draft.has_room(growth, item_types)
        )

    def _row_to_emit(self, needs: Needs) -> PriceRow | None:
        """Return the row of the item's market that the chain does not know yet."""
        market_id = needs.market_id()
        row = None if market_id is None else self._rows.get(market_id)
        if row is None:
            return None
        emitted = self._emitted.get(row.market_id)
        return None if emitted is not None and _is_same_row(row, emitted) else row

    def _close(self) -> BuiltBatch:
        draft = self._draft
        assert draft is not None
        payload = draft.payload(sequence=self._sequence, epoch=self._epoch)
        self._draft = None
        self._sequence += 1
        batch = BuiltBatch(
            sequence=payload.sequence,
            epoch=self._epoch,
            payload=encode_payload(payload),
            first_item_seq=self._first_item_seq,
            last_item_seq=self._item_seq - 1,
            item_seqs=tuple(draft.item_seqs),
            gas_estimate=draft.cost.gas,
            first_time_ns=self._first_time_ns,
            state_after=self.state(),
        )
        assert len(batch.payload) == draft.cost.size_bytes
        self._first_item_seq = self._item_seq
        self._forget_expired_orders()
        return batch

    def _forget_expired_orders(self) -> None:
        """Drop orders that no item can refer to any more: expired by the last clock (SIG-2)."""
        self._orders = {
            order_id: order
            for order_id, order in self._orders.items()
            if order.expiry_time_s > self._clock_time_s
        }

    def _order(self, order_id: int) -> SignedOrder:
        order = self._orders.get(order_id)
        if order is None:
            raise FeedError(f"order {order_id} is not in the feed before item {self._item_seq}")
        return order

    def _needs(self, item: SettledItem) -> Needs:
        match item:
            case Fill():
                taker, maker = self._order(item.taker_order_id), self._order(item.maker_order_id)
                return Needs(orders=(taker, maker))
            case LiquidationFill():
                bucket = Bucket(item.account, item.market_id)
                return Needs(orders=(self._order(item.maker_order_id),), buckets=(bucket,))
            case Takeover():
                fund = Bucket(INSURANCE_ACCOUNT, item.market_id)
                return Needs(buckets=(Bucket(item.account, item.market_id), fund))
            case Adl():
                counterparty = Bucket(item.counterparty, item.market_id)
                return Needs(buckets=(Bucket(item.account, item.market_id), counterparty))
            case FundFill():
                maker = self._order(item.maker_order_id)
                return Needs(orders=(maker,), buckets=(Bucket(INSURANCE_ACCOUNT, maker.market_id),))
            case Funding() | Parameters():
                return Needs(market_ids=(item.market_id,))
            case CollateralMove() | AutoTopUp() | PositionSettled():
                return Needs(buckets=(Bucket(item.account, item.market_id),))
            case Withdrawal():
                return Needs(accounts=(item.account,))
            case Forced():
                buckets = (Bucket(item.account, item.market_id),) if item.market_id else ()
                return Needs(buckets=buckets, accounts=(item.account,))
            case _:
                assert_never(item)

    def _record_type(self, item: SettledItem) -> type[Item]:
        """Return the kind of record that an item becomes."""
        if isinstance(item, Fill | LiquidationFill | FundFill):
            signed_ticks = self._order(item.maker_order_id).price_ticks
            is_auction = isinstance(item, Fill) and item.is_auction
            if is_auction or item.price_ticks not in (0, signed_ticks):
                return RECORD_TYPES_AT[type(item)]
        return RECORD_TYPES[type(item)]

    def _record(self, item: SettledItem, draft: Draft) -> Item:
        match item:
            case Fill() | LiquidationFill() | FundFill():
                return self._fill_record(item, draft)
            case Takeover():
                return TakeoverItem(
                    position=draft.position(item.account, item.market_id),
                    fund_position=draft.fund_position(item.market_id),
                    lots=item.qty_lots,
                )
            case Adl():
                return AdlItem(
                    position=draft.position(item.account, item.market_id),
                    counterparty=draft.position(item.counterparty, item.market_id),
                    lots=item.qty_lots,
                )
            case Funding():
                return FundingItem(
                    market=draft.markets[item.market_id], funding_index_e6=item.funding_index_e6
                )
            case PositionSettled():
                return SettleMarketItem(position=draft.position(item.account, item.market_id))
            case Parameters():
                return ParametersItem(market=draft.markets[item.market_id])
            case CollateralMove() | Withdrawal() | AutoTopUp():
                return _signed_record(item, draft)
            case Forced():
                bucket = Bucket(item.account, item.market_id)
                return ForcedItem(
                    request_id=item.request_id,
                    account=draft.accounts[item.account],
                    position=draft.positions[bucket] if item.market_id else ForcedItem.NO_POSITION,
                )
            case _:
                assert_never(item)

    def _fill_record(self, item: Fill | LiquidationFill | FundFill, draft: Draft) -> Item:
        maker, lots, price = draft.orders[item.maker_order_id], item.qty_lots, item.price_ticks
        names_price = self._record_type(item) is not RECORD_TYPES[type(item)]
        match item:
            case Fill():
                taker = draft.orders[item.taker_order_id]
                if not names_price:
                    return FillItem(taker_order=taker, maker_order=maker, lots=lots)
                return FillAtItem(
                    taker_order=taker,
                    maker_order=maker,
                    lots=lots,
                    price_ticks=price,
                    auction=int(item.is_auction),
                )
            case LiquidationFill():
                position = draft.position(item.account, item.market_id)
                if not names_price:
                    return LiquidationFillItem(position=position, maker_order=maker, lots=lots)
                return LiquidationFillAtItem(
                    position=position, maker_order=maker, lots=lots, price_ticks=price
                )
            case FundFill():
                fund = draft.fund_position(self._order(item.maker_order_id).market_id)
                if not names_price:
                    return FundFillItem(fund_position=fund, maker_order=maker, lots=lots)
                return FundFillAtItem(
                    fund_position=fund, maker_order=maker, lots=lots, price_ticks=price
                )
            case _:
                assert_never(item)


def _signed_record(item: CollateralMove | Withdrawal | AutoTopUp, draft: Draft) -> Item:
    if isinstance(item, AutoTopUp):
        return AutoTopUpItem(
            position=draft.position(item.account, item.market_id),
            amount_quote=item.amount_quote,
            cap_quote=item.cap_quote,
            nonce=item.nonce,
            expiry_time_s=item.expiry_time_s,
            signature=item.signature,
        )
    if isinstance(item, CollateralMove):
        return CollateralItem(
            position=draft.position(item.account, item.market_id),
            amount_quote=item.amount_quote,
            nonce=item.nonce,
            expiry_time_s=item.expiry_time_s,
            signature=item.signature,
        )
    return WithdrawalItem(
        account=draft.accounts[item.account],
        amount_quote=item.amount_quote,
        to=item.to,
        nonce=item.nonce,
        expiry_time_s=item.expiry_time_s,
        signature=item.signature,
    )


def _price_item(row: PriceRow, draft: Draft) -> PriceItem:
    observations = tuple(
        Observation(price_ticks=seen.price_ticks, time_ms=seen.time_ms, signature=seen.signature)
        for seen in row.observations
    )
    if not observations:
        only = Observation(
            price_ticks=row.index_price_ticks,
            time_ms=row.index_time_ms,
            signature=row.signature,
        )
        observations = (only,)
    return PriceItem(
        market=draft.markets[row.market_id],
        mark_ticks=row.mark_price_ticks,
        observations=observations,
    )


def _is_same_row(row: PriceRow, other: PriceRow) -> bool:
    return (row.index_price_ticks, row.mark_price_ticks, row.index_time_ms) == (
        other.index_price_ticks,
        other.mark_price_ticks,
        other.index_time_ms,
    )
