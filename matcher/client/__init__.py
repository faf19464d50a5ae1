"""The Python client of a Bulkhead matcher: asynchronous, typed, integers with units in names.

async with await Client.connect("127.0.0.1:7600", domain, key) as client:
    btc = await client.market("BTC-PERP")
    order = client.orders.limit(
        btc, Side.BUY, price_ticks=btc.ticks("60000.5"), qty_lots=btc.lots("0.01"), leverage=10
    )
    accepted = await client.place_one(order)
    async for event in client.events():
        ...
"""

from bulkhead_signing import Domain, IndexPrice, Order, SigningKey
from matcher.client._admin import AdminClient
from matcher.client._book import LocalBook
from matcher.client._client import Client
from matcher.client._errors import (
    AuthenticationError,
    CallError,
    ConnectError,
    DeadlineError,
    InvalidRequestError,
    LimitError,
    NotKnownError,
    PrecisionError,
    ProtocolError,
    RejectedError,
)
from matcher.client._events import (
    AccountEvent,
    CollateralMoved,
    CommandRejected,
    DeadManTimerSet,
    DepositCredited,
    HeartbeatAcknowledged,
    LiquidationEnded,
    LiquidationStarted,
    MassCanceled,
    OrderAccepted,
    OrderAmended,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
    OrderTriggered,
    PositionDeleveraged,
    PositionFrozen,
    PositionTakenOver,
    PositionUpdated,
    SettlementStateChanged,
    WithdrawalAccepted,
)
from matcher.client._market_events import (
    BookDelta,
    BookSnapshot,
    FundingSettled,
    LiquidationStep,
    MarketEvent,
    MarketStateChanged,
    MarkUpdated,
    Traded,
)
from matcher.client._orders import NonceSource, OrderBuilder, margin_quote, protection_price_ticks
from matcher.client._public import MarketDataStream, PublicClient
from matcher.client._session import Session, SessionOptions
from matcher.client._types import (
    Account,
    Book,
    CollateralMoveResult,
    ItemState,
    LiquidationStepKind,
    LiquidityRole,
    Market,
    MarketDisplay,
    MatcherStatus,
    OpenOrder,
    OrderPreview,
    Position,
    PriceLevel,
    Prices,
    SettlementState,
    Side,
    TimeInForce,
    Trigger,
    TriggerKind,
    WithdrawalResult,
)
from matcher.engine.commands import MarketState
from matcher.engine.instructions import Instructions, SelfTradePrevention
from matcher.engine.reject_reason import RejectReason
from matcher.errors import BulkheadError

__all__ = [
    "Account",
    "AccountEvent",
    "AdminClient",
    "AuthenticationError",
    "Book",
    "BookDelta",
    "BookSnapshot",
    "BulkheadError",
    "CallError",
    "Client",
    "CollateralMoveResult",
    "CollateralMoved",
    "CommandRejected",
    "ConnectError",
    "DeadManTimerSet",
    "DeadlineError",
    "DepositCredited",
    "Domain",
    "FundingSettled",
    "HeartbeatAcknowledged",
    "IndexPrice",
    "Instructions",
    "InvalidRequestError",
    "ItemState",
    "LimitError",
    "LiquidationEnded",
    "LiquidationStarted",
    "LiquidationStep",
    "LiquidationStepKind",
    "LiquidityRole",
    "LocalBook",
    "MarkUpdated",
    "Market",
    "MarketDataStream",
    "MarketDisplay",
    "MarketEvent",
    "MarketState",
    "MarketStateChanged",
    "MassCanceled",
    "MatcherStatus",
    "NonceSource",
    "NotKnownError",
    "OpenOrder",
    "Order",
    "OrderAccepted",
    "OrderAmended",
    "OrderBuilder",
    "OrderCanceled",
    "OrderFilled",
    "OrderPreview",
    "OrderRejected",
    "OrderTriggered",
    "Position",
    "PositionDeleveraged",
    "PositionFrozen",
    "PositionTakenOver",
    "PositionUpdated",
    "PrecisionError",
    "PriceLevel",
    "Prices",
    "ProtocolError",
    "PublicClient",
    "RejectReason",
    "RejectedError",
    "SelfTradePrevention",
    "Session",
    "SessionOptions",
    "SettlementState",
    "SettlementStateChanged",
    "Side",
    "SigningKey",
    "TimeInForce",
    "Traded",
    "Trigger",
    "TriggerKind",
    "WithdrawalAccepted",
    "WithdrawalResult",
    "margin_quote",
    "protection_price_ticks",
]
