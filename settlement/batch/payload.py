"""The parts of a batch payload (SPEC section 5): tables and items that refer to them by index."""

from __future__ import annotations

import enum
from typing import ClassVar, Final, TypeAlias

import msgspec

PAYLOAD_VERSION: Final = 2


class Kind(enum.Enum):
    """How a field is written."""

    UINT = "unsigned"
    INT = "two's complement"
    BYTES = "raw bytes"


class Field(msgspec.Struct, frozen=True):
    """One field of a packed record: big endian, `size` bytes."""

    name: str
    size: int
    kind: Kind = Kind.UINT


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A packed record; `FIELDS` is its layout in order."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


class Header(Record, frozen=True, kw_only=True, gc=False):
    """The first bytes of a payload."""

    FIELDS: ClassVar = (
        Field("version", 1),
        Field("sequence", 8),
        Field("epoch", 4),
        Field("clock_time_s", 5),
        Field("market_count", 1),
        Field("account_count", 2),
        Field("position_count", 2),
        Field("root_count", 2),
        Field("order_count", 2),
        Field("item_count", 2),
    )
    version: int
    sequence: int
    epoch: int
    clock_time_s: int
    market_count: int
    account_count: int
    position_count: int
    root_count: int
    order_count: int
    item_count: int


class MarketRow(Record, frozen=True, kw_only=True, gc=False):
    """A row of the markets table."""

    FIELDS: ClassVar = (Field("market_id", 4),)
    market_id: int


class AccountRow(Record, frozen=True, kw_only=True, gc=False):
    """A row of the accounts table."""

    FIELDS: ClassVar = (Field("address", 20, Kind.BYTES),)
    address: bytes


class PositionRow(Record, frozen=True, kw_only=True, gc=False):
    """A row of the positions table: indices of the account and of the market."""

    FIELDS: ClassVar = (Field("account", 2), Field("market", 1))
    account: int
    market: int


class SignerKind(enum.IntEnum):
    """Who has signed (SIG-3)."""

    OWNER = 0
    SESSION_KEY = 1
    WALLET = 2


class RootRow(Record, frozen=True, kw_only=True, gc=False):
    """A row of the roots table: a tree of orders; its signature stands behind the fields."""

    FIELDS: ClassVar = (
        Field("account", 2),
        Field("signer", 1),
        Field("height", 1),
        Field("root", 32, Kind.BYTES),
    )
    account: int
    signer: int
    height: int
    root: bytes
    signature: bytes


class OrderRow(Record, frozen=True, kw_only=True, gc=False):
    """A row of the orders table. The codec adds what stands behind the fixed fields."""

    FIELDS: ClassVar = (
        Field("position", 2),
        Field("flags", 2),
        Field("price_ticks", 4),
        Field("qty_lots", 4),
        Field("margin_quote", 8),
        Field("fee_ppm_max", 3),
        Field("nonce", 8),
        Field("expiry_time_s", 5),
    )
    TRIGGER: ClassVar = (Field("trigger_kind", 1), Field("trigger_price_ticks", 4))
    INSTRUCTIONS: ClassVar = (Field("instructions", 32, Kind.BYTES),)
    LEAF: ClassVar = (Field("root", 2), Field("leaf_index", 2))
    position: int
    flags: int
    price_ticks: int
    qty_lots: int
    margin_quote: int
    fee_ppm_max: int
    nonce: int
    expiry_time_s: int
    signature: bytes = b""
    trigger_kind: int = 0
    trigger_price_ticks: int = 0
    instructions: bytes = bytes(32)
    root: int = 0
    leaf_index: int = 0
    siblings: bytes = b""


FLAG_SELL: Final = 0x01
FLAG_TIME_IN_FORCE_SHIFT: Final = 1
FLAG_POST_ONLY: Final = 0x08
FLAG_REDUCE_ONLY: Final = 0x10
FLAG_TRIGGER: Final = 0x20
FLAG_INSTRUCTIONS: Final = 0x40
FLAG_BULK: Final = 0x80
FLAG_SIGNER_SHIFT: Final = 8


class ItemRecord(Record, frozen=True, kw_only=True, gc=False):
    """An item of the payload; `OPCODE` is its first byte."""

    OPCODE: ClassVar[int] = 0


class SignedItemRecord(ItemRecord, frozen=True, kw_only=True, gc=False):
    """An item with its owner's signature behind the fields."""

    signature: bytes
    signer: int = 0


class Observation(Record, frozen=True, kw_only=True, gc=False):
    """One source's index price, as it signed it."""

    FIELDS: ClassVar = (
        Field("price_ticks", 4),
        Field("time_ms", 6),
        Field("signature", 64, Kind.BYTES),
    )
    price_ticks: int
    time_ms: int
    signature: bytes


class PriceItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """A price row that holds for the items after it; the codec adds its observations."""

    OPCODE: ClassVar = 0x01
    FIELDS: ClassVar = (Field("market", 1), Field("count", 1), Field("mark_ticks", 4))
    market: int
    mark_ticks: int
    observations: tuple[Observation, ...]

    @property
    def count(self) -> int:
        """Number of observations, which ascend by price."""
        return len(self.observations)


class ClockItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """The batch clock from here on, unix seconds."""

    OPCODE: ClassVar = 0x02
    FIELDS: ClassVar = (Field("time_s", 5),)
    time_s: int


class FillItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """A match of two orders of the table."""

    OPCODE: ClassVar = 0x03
    FIELDS: ClassVar = (Field("taker_order", 2), Field("maker_order", 2), Field("lots", 4))
    taker_order: int
    maker_order: int
    lots: int


class LiquidationFillItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """A liquidated position closed against a maker's order."""

    OPCODE: ClassVar = 0x04
    FIELDS: ClassVar = (Field("position", 2), Field("maker_order", 2), Field("lots", 4))
    position: int
    maker_order: int
    lots: int


class TakeoverItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """The fund takes what is left of a position."""

    OPCODE: ClassVar = 0x05
    FIELDS: ClassVar = (Field("position", 2), Field("fund_position", 2), Field("lots", 5))
    position: int
    fund_position: int
    lots: int


class AdlItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """A bankrupt position closed against a counterparty."""

    OPCODE: ClassVar = 0x06
    FIELDS: ClassVar = (Field("position", 2), Field("counterparty", 2), Field("lots", 5))
    position: int
    counterparty: int
    lots: int


class FundFillItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """The fund's position reduced against a maker's order."""

    OPCODE: ClassVar = 0x07
    FIELDS: ClassVar = (Field("fund_position", 2), Field("maker_order", 2), Field("lots", 4))
    fund_position: int
    maker_order: int
    lots: int


class FundingItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """A market's new funding index."""

    OPCODE: ClassVar = 0x08
    FIELDS: ClassVar = (Field("market", 1), Field("funding_index_e6", 8, Kind.INT))
    market: int
    funding_index_e6: int


class CollateralItem(SignedItemRecord, frozen=True, kw_only=True, gc=False):
    """A signed move between free balance and position."""

    OPCODE: ClassVar = 0x09
    FIELDS: ClassVar = (
        Field("position", 2),
        Field("amount_quote", 8, Kind.INT),
        Field("nonce", 8),
        Field("expiry_time_s", 5),
    )
    position: int
    amount_quote: int
    nonce: int
    expiry_time_s: int


class WithdrawalItem(SignedItemRecord, frozen=True, kw_only=True, gc=False):
    """A signed withdrawal."""

    OPCODE: ClassVar = 0x0A
    FIELDS: ClassVar = (
        Field("account", 2),
        Field("amount_quote", 8),
        Field("to", 20, Kind.BYTES),
        Field("nonce", 8),
        Field("expiry_time_s", 5),
    )
    account: int
    amount_quote: int
    to: bytes
    nonce: int
    expiry_time_s: int


class SessionKeyItem(SignedItemRecord, frozen=True, kw_only=True, gc=False):
    """A signed grant to a session key, or its revocation."""

    OPCODE: ClassVar = 0x0B
    FIELDS: ClassVar = (
        Field("account", 2),
        Field("key", 20, Kind.BYTES),
        Field("markets", 8),
        Field("leverage_max", 1),
        Field("is_reduce_only", 1),
        Field("day_notional_max_quote", 8),
        Field("nonce", 8),
        Field("expiry_time_s", 5),
    )
    account: int
    key: bytes
    markets: int
    leverage_max: int
    is_reduce_only: int
    day_notional_max_quote: int
    nonce: int
    expiry_time_s: int


class ParametersItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """The announced parameters of a market hold from here on."""

    OPCODE: ClassVar = 0x0C
    FIELDS: ClassVar = (Field("market", 1),)
    market: int


class AutoTopUpItem(SignedItemRecord, frozen=True, kw_only=True, gc=False):
    """Collateral for a liquidatable position, ordered once."""

    OPCODE: ClassVar = 0x0D
    FIELDS: ClassVar = (
        Field("position", 2),
        Field("amount_quote", 8),
        Field("cap_quote", 8),
        Field("nonce", 8),
        Field("expiry_time_s", 5),
    )
    position: int
    amount_quote: int
    cap_quote: int
    nonce: int
    expiry_time_s: int


class SettleMarketItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """A position of a market that has ended is delivered."""

    OPCODE: ClassVar = 0x0E
    FIELDS: ClassVar = (Field("position", 2),)
    position: int


class FillAtItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """A match at a price of its own: the maker slid, or an auction, where the taker buys."""

    OPCODE: ClassVar = 0x10
    FIELDS: ClassVar = (
        Field("taker_order", 2),
        Field("maker_order", 2),
        Field("lots", 4),
        Field("price_ticks", 4),
        Field("auction", 1),
    )
    taker_order: int
    maker_order: int
    lots: int
    price_ticks: int
    auction: int


class LiquidationFillAtItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """A liquidated position closed against a maker that slid."""

    OPCODE: ClassVar = 0x11
    FIELDS: ClassVar = (*LiquidationFillItem.FIELDS, Field("price_ticks", 4))
    position: int
    maker_order: int
    lots: int
    price_ticks: int


class FundFillAtItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """The fund's position reduced against a maker that slid."""

    OPCODE: ClassVar = 0x12
    FIELDS: ClassVar = (*FundFillItem.FIELDS, Field("price_ticks", 4))
    fund_position: int
    maker_order: int
    lots: int
    price_ticks: int


class ForcedItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """Serves the head of the forced queue; `NO_POSITION` when its kind has none."""

    OPCODE: ClassVar = 0x0F
    FIELDS: ClassVar = (Field("request_id", 8), Field("account", 2), Field("position", 2))
    NO_POSITION: ClassVar = 0xFFFF
    request_id: int
    account: int
    position: int


Item: TypeAlias = (
    PriceItem
    | ClockItem
    | FillItem
    | LiquidationFillItem
    | TakeoverItem
    | AdlItem
    | FundFillItem
    | FundingItem
    | CollateralItem
    | WithdrawalItem
    | SessionKeyItem
    | ParametersItem
    | AutoTopUpItem
    | SettleMarketItem
    | FillAtItem
    | LiquidationFillAtItem
    | FundFillAtItem
    | ForcedItem
)

ITEM_TYPES: Final[dict[int, type[Item]]] = {
    item_type.OPCODE: item_type
    for item_type in (
        PriceItem,
        ClockItem,
        FillItem,
        LiquidationFillItem,
        TakeoverItem,
        AdlItem,
        FundFillItem,
        FundingItem,
        CollateralItem,
        WithdrawalItem,
        SessionKeyItem,
        ParametersItem,
        AutoTopUpItem,
        SettleMarketItem,
        FillAtItem,
        LiquidationFillAtItem,
        FundFillAtItem,
        ForcedItem,
    )
}


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """A whole batch payload. `clock_time_s` holds until the first CLOCK item."""

    sequence: int
    epoch: int
    clock_time_s: int
    markets: tuple[MarketRow, ...]
    accounts: tuple[AccountRow, ...]
    positions: tuple[PositionRow, ...]
    orders: tuple[OrderRow, ...]
    items: tuple[Item, ...]
    roots: tuple[RootRow, ...] = ()
