"""The parts of a batch payload (SPEC section 5): tables and items that refer to them by index."""

from __future__ import annotations

import enum
from typing import Annotated, ClassVar, Final, TypeAlias, get_args, get_type_hints

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


class Packed(msgspec.Struct, frozen=True):
    """How an attribute stands in its record, as an annotation of its type."""

    size: int
    kind: Kind = Kind.UINT


U8: TypeAlias = Annotated[int, Packed(1)]
U16: TypeAlias = Annotated[int, Packed(2)]
U24: TypeAlias = Annotated[int, Packed(3)]
U32: TypeAlias = Annotated[int, Packed(4)]
U40: TypeAlias = Annotated[int, Packed(5)]
U48: TypeAlias = Annotated[int, Packed(6)]
U64: TypeAlias = Annotated[int, Packed(8)]
I64: TypeAlias = Annotated[int, Packed(8, Kind.INT)]
Bytes20: TypeAlias = Annotated[bytes, Packed(20, Kind.BYTES)]
Bytes32: TypeAlias = Annotated[bytes, Packed(32, Kind.BYTES)]
Bytes64: TypeAlias = Annotated[bytes, Packed(64, Kind.BYTES)]


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A packed record. `FIELDS` is its layout: its packed attributes, unless it names others."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()

    def __init_subclass__(cls) -> None:
        if "FIELDS" not in cls.__dict__:
            cls.FIELDS = tuple(
                Field(name, packed.size, packed.kind)
                for name, hint in get_type_hints(cls, include_extras=True).items()
                for packed in get_args(hint)
                if isinstance(packed, Packed)
            )


class Header(Record, frozen=True, kw_only=True, gc=False):
    """The first bytes of a payload."""

    version: U8
    sequence: U64
    epoch: U32
    clock_time_s: U40
    market_count: U8
    account_count: U16
    position_count: U16
    root_count: U16
    order_count: U16
    item_count: U16


class MarketRow(Record, frozen=True, kw_only=True, gc=False):
    """A row of the markets table."""

    market_id: U32


class AccountRow(Record, frozen=True, kw_only=True, gc=False):
    """A row of the accounts table."""

    address: Bytes20


class PositionRow(Record, frozen=True, kw_only=True, gc=False):
    """A row of the positions table: indices of the account and of the market."""

    account: U16
    market: U8


class SignerKind(enum.IntEnum):
    """Who has signed (SIG-3)."""

    OWNER = 0
    SESSION_KEY = 1
    WALLET = 2


class RootRow(Record, frozen=True, kw_only=True, gc=False):
    """A row of the roots table: a tree of orders; its signature stands behind the fields."""

    account: U16
    signer: U8
    height: U8
    root: Bytes32
    signature: bytes


class OrderRow(Record, frozen=True, kw_only=True, gc=False):
    """A row of the orders table. The codec adds what stands behind the fixed fields."""

    TRIGGER: ClassVar = (Field("trigger_kind", 1), Field("trigger_price_ticks", 4))
    INSTRUCTIONS: ClassVar = (Field("instructions", 32, Kind.BYTES),)
    LEAF: ClassVar = (Field("root", 2), Field("leaf_index", 2))
    position: U16
    flags: U16
    price_ticks: U32
    qty_lots: U32
    margin_quote: U64
    fee_ppm_max: U24
    nonce: U64
    expiry_time_s: U40
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

    price_ticks: U32
    time_ms: U48
    signature: Bytes64


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
    time_s: U40


class FillItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """A match of two orders of the table."""

    OPCODE: ClassVar = 0x03
    taker_order: U16
    maker_order: U16
    lots: U32


class LiquidationFillItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """A liquidated position closed against a maker's order."""

    OPCODE: ClassVar = 0x04
    position: U16
    maker_order: U16
    lots: U32


class TakeoverItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """The fund takes what is left of a position."""

    OPCODE: ClassVar = 0x05
    position: U16
    fund_position: U16
    lots: U40


class AdlItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """A bankrupt position closed against a counterparty."""

    OPCODE: ClassVar = 0x06
    position: U16
    counterparty: U16
    lots: U40


class FundFillItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """The fund's position reduced against a maker's order."""

    OPCODE: ClassVar = 0x07
    fund_position: U16
    maker_order: U16
    lots: U32


class FundingItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """A market's new funding index."""

    OPCODE: ClassVar = 0x08
    market: U8
    funding_index_e6: I64


class CollateralItem(SignedItemRecord, frozen=True, kw_only=True, gc=False):
    """A signed move between free balance and position."""

    OPCODE: ClassVar = 0x09
    position: U16
    amount_quote: I64
    nonce: U64
    expiry_time_s: U40


class WithdrawalItem(SignedItemRecord, frozen=True, kw_only=True, gc=False):
    """A signed withdrawal."""

    OPCODE: ClassVar = 0x0A
    account: U16
    amount_quote: U64
    to: Bytes20
    nonce: U64
    expiry_time_s: U40


class SessionKeyItem(SignedItemRecord, frozen=True, kw_only=True, gc=False):
    """A signed grant to a session key, or its revocation."""

    OPCODE: ClassVar = 0x0B
    account: U16
    key: Bytes20
    markets: U64
    leverage_max: U8
    is_reduce_only: U8
    day_notional_max_quote: U64
    nonce: U64
    expiry_time_s: U40


class ParametersItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """The announced parameters of a market hold from here on."""

    OPCODE: ClassVar = 0x0C
    market: U8


class AutoTopUpItem(SignedItemRecord, frozen=True, kw_only=True, gc=False):
    """Collateral for a liquidatable position, ordered once."""

    OPCODE: ClassVar = 0x0D
    position: U16
    amount_quote: U64
    cap_quote: U64
    nonce: U64
    expiry_time_s: U40


class SettleMarketItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """A position of a market that has ended is delivered."""

    OPCODE: ClassVar = 0x0E
    position: U16


class FillAtItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """A match at a price of its own: the maker slid, or an auction, where the taker buys."""

    OPCODE: ClassVar = 0x10
    taker_order: U16
    maker_order: U16
    lots: U32
    price_ticks: U32
    auction: U8


class LiquidationFillAtItem(LiquidationFillItem, frozen=True, kw_only=True, gc=False):
    """A liquidated position closed against a maker that slid."""

    OPCODE: ClassVar = 0x11
    price_ticks: U32


class FundFillAtItem(FundFillItem, frozen=True, kw_only=True, gc=False):
    """The fund's position reduced against a maker that slid."""

    OPCODE: ClassVar = 0x12
    price_ticks: U32


class ForcedItem(ItemRecord, frozen=True, kw_only=True, gc=False):
    """Serves the head of the forced queue; `NO_POSITION` when its kind has none."""

    OPCODE: ClassVar = 0x0F
    NO_POSITION: ClassVar = 0xFFFF
    request_id: U64
    account: U16
    position: U16


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
