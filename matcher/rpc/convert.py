"""Wire → commands. Malformed fields fail the call; what the engine can judge goes to the engine.

A field fails the call (FIELD_INVALID, with its path) when it is missing, has the wrong length, is
negative where nothing negative exists, or does not fit the engine's record: 32 bits for a price,
a quantity and an expiry. Quantities, prices and amounts beyond a market's bounds pass: the engine
refuses them with its own reasons.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bulkhead_signing import (
    INSTRUCTIONS_BYTES,
    NO_INSTRUCTIONS,
    AutoTopUp,
    CollateralMove,
    IndexPrice,
    Order,
    Withdrawal,
    is_bulk_signature,
)
from margin_core import ContractKind, MarketSpec, Tier
from matcher.engine.commands import (
    FLAG_POST_ONLY,
    FLAG_REDUCE_ONLY,
    SIDE_ANY,
    Command,
    CommandKind,
    MarketState,
    RequestKind,
)
from matcher.engine.instructions import Instructions
from matcher.envelope import (
    ADDRESS_BYTES,
    REJECTED_ITEMS_MAX,
    SIGNATURE_BYTES,
    BatchReceipt,
    Listing,
    PlaceExtra,
    ReplaceExtra,
    ShellKind,
    WithdrawExtra,
)
from matcher.feed.account_events import SettlementState
from matcher.receipts import Progress
from matcher.rpc.status import field_error

if TYPE_CHECKING:
    from bulkhead.matcher.v1 import chain_event_pb2, command_pb2
    from bulkhead.types.v1 import (
        market_spec_pb2,
        signed_auto_top_up_pb2,
        signed_collateral_move_pb2,
        signed_index_price_pb2,
        signed_order_pb2,
        signed_withdrawal_pb2,
    )

# What the contract knows of a market; it knows nothing of what only the engine does.
PARAMETERS_ON_CHAIN: Final = (
    "quote_per_tick_lot",
    "price_ticks_max",
    "position_lots_max",
    "fee_maker_ppm",
    "fee_taker_ppm",
    "fee_liquidation_ppm",
    "liquidation_buffer_ppm",
    "mark_band_ppm",
    "funding_cap_ppm",
    "funding_interval_s",
    "index_age_max_ms",
    "expiry_time_s",
    "tiers",
)
MARKET_ID_MAX: Final = 65_535
INT64_MAX: Final = (1 << 63) - 1
QUOTE_MAX: Final = 1 << 60
UINT32_MAX: Final = (1 << 32) - 1  # prices, quantities and expiries in the engine's record
TIME_MS_MAX: Final = (1 << 48) - 1
SYMBOL_CHARACTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
TX_HASH_BYTES: Final = 32
LOG_INDEX_BITS: Final = 24
LOG_INDEX_MAX: Final = (1 << LOG_INDEX_BITS) - 2
BLOCK_NUMBER_MAX: Final = (1 << 38) - 1
FURTHER_NONCES_MAX: Final = 7  # of one cancellation on chain (FORCE-1)
_VENUE_REQUESTS: Final = frozenset(
    {RequestKind.CANCEL_ALL, RequestKind.CANCEL, RequestKind.WITHDRAW}
)


def in_range(field: str, value: int, low: int, high: int) -> int:
    """Return a number that is in low … high, or raise with its field."""
    if not low <= value <= high:
        raise field_error(field, f"{low} to {high}", value)
    return value


def of_length(field: str, value: bytes, length_bytes: int) -> bytes:
    """Return bytes of exactly this length, or raise with their field."""
    if len(value) != length_bytes:
        raise field_error(field, f"{length_bytes} bytes", len(value))
    return value


def order_of(
    wire: signed_order_pb2.SignedOrder, path: str, *, is_signed: bool = True
) -> tuple[Order, bytes]:
    """Return the order's signed fields and its signature.

    Args:
        wire: The order.
        path: Where it stands in the request.
        is_signed: False: the signature may be empty.
    """
    trigger_kind, trigger_price_ticks = 0, 0
    if wire.HasField("trigger"):
        trigger_kind = in_range(f"{path}.trigger.kind", wire.trigger.kind, 1, 4)
        trigger_price_ticks = in_range(
            f"{path}.trigger.price_ticks", wire.trigger.price_ticks, 0, UINT32_MAX
        )
    order = Order(
        account=of_length(f"{path}.account", wire.account, ADDRESS_BYTES),
        market_id=in_range(f"{path}.market_id", wire.market_id, 1, MARKET_ID_MAX),
        side=in_range(f"{path}.side", wire.side, 1, 2) - 1,
        time_in_force=in_range(f"{path}.time_in_force", wire.time_in_force, 1, 3) - 1,
        is_post_only=wire.is_post_only,
        is_reduce_only=wire.is_reduce_only,
        price_ticks=in_range(f"{path}.price_ticks", wire.price_ticks, 0, UINT32_MAX),
        qty_lots=in_range(f"{path}.qty_lots", wire.qty_lots, 0, UINT32_MAX),
        margin_quote=in_range(f"{path}.margin_quote", wire.margin_quote, 0, QUOTE_MAX),
        fee_ppm_max=in_range(f"{path}.fee_ppm_max", wire.fee_ppm_max, 0, 1_000_000),
        trigger_kind=trigger_kind,
        trigger_price_ticks=trigger_price_ticks,
        nonce=wire.nonce,
        expiry_time_s=in_range(f"{path}.expiry_time_s", wire.expiry_time_s, 1, UINT32_MAX),
        instructions=_instructions_of(f"{path}.instructions", wire.instructions),
    )
    if is_signed:
        _order_signature_of(f"{path}.signature", wire.signature)
    return order, wire.signature


def _order_signature_of(field: str, value: bytes) -> None:
    """Raise with the field unless bytes are an order's own signature or a share of a tree's."""
    if len(value) != SIGNATURE_BYTES and not is_bulk_signature(value):
        expected = f"{SIGNATURE_BYTES} bytes, or 66 and 32 for each of 1 to 10 levels of a tree"
        raise field_error(field, expected, len(value))


def _instructions_of(field: str, value: bytes) -> bytes:
    """Return the signed word, whose reserved bytes are zero (ORD-4; the engine judges the rest)."""
    if not value:
        return NO_INSTRUCTIONS
    try:
        Instructions.unpack(of_length(field, value, INSTRUCTIONS_BYTES))
    except ValueError:
        raise field_error(field, "reserved bytes that are zero", value.hex()) from None
    return value


def place_command(order: Order, signature: bytes, account: int) -> tuple[Command, bytes]:
    """Return the PLACE of an order of a registered account, and its extra."""
    command = Command(
        kind=CommandKind.PLACE,
        side=order.side,
        time_in_force=order.time_in_force,
        flags=FLAG_POST_ONLY * order.is_post_only | FLAG_REDUCE_ONLY * order.is_reduce_only,
        market_id=order.market_id,
        trigger_kind=order.trigger_kind,
        account=account,
        nonce=order.nonce,
        price_ticks=order.price_ticks,
        qty_lots=order.qty_lots,
        amount_quote=order.margin_quote,
        trigger_price_ticks=order.trigger_price_ticks,
        expiry_time_s=order.expiry_time_s,
    )
    return command, _place_extra(order, signature).pack()


def _place_extra(order: Order, signature: bytes) -> PlaceExtra:
    return PlaceExtra(order.fee_ppm_max, signature, order.instructions)


def cancel_command(wire: command_pb2.CancelOrder, account: int, path: str) -> tuple[Command, bytes]:
    """Return the CANCEL of one order."""
    match wire.WhichOneof("target"):
        case "order_id":
            order_id = in_range(f"{path}.order_id", wire.order_id, 1, (1 << 64) - 1)
            return Command(kind=CommandKind.CANCEL, account=account, order_id=order_id), b""
        case "nonce":
            return Command(kind=CommandKind.CANCEL, account=account, nonce=wire.nonce), b""
        case _:
            raise field_error(f"{path}.target", "order_id or nonce", "none")


def amend_command(wire: command_pb2.AmendOrder, account: int, path: str) -> tuple[Command, bytes]:
    """Return the AMEND of one order."""
    target, _ = cancel_command(wire.target, account, f"{path}.target")
    qty_lots = in_range(f"{path}.qty_lots", wire.qty_lots, 1, UINT32_MAX - 1)
    return target._replace(kind=CommandKind.AMEND, qty_lots=qty_lots), b""


def replace_command(
    cancel: Command, order: Order, signature: bytes, account: int, unfilled_lots: int
) -> tuple[Command, bytes]:
    """Return the REPLACE of an order of which so many lots (0: any) must be left."""
    place, _ = place_command(order, signature, account)
    extra = ReplaceExtra(cancel.nonce, _place_extra(order, signature), unfilled_lots)
    return place._replace(kind=ShellKind.REPLACE, order_id=cancel.order_id), extra.pack()


def cancel_all_command(
    account: int, market_id: int = 0, side: int = SIDE_ANY
) -> tuple[Command, bytes]:
    """Return the CANCEL_ALL of an account; market_id 0: every market."""
    command = Command(kind=CommandKind.CANCEL_ALL, account=account, market_id=market_id, side=side)
    return command, b""


def cancel_all_of(wire: command_pb2.CancelAll, account: int, path: str) -> tuple[Command, bytes]:
    """Return the CANCEL_ALL of a request."""
    market_id = in_range(f"{path}.market_id", wire.market_id, 0, MARKET_ID_MAX)
    side = in_range(f"{path}.side", wire.side, 0, 2)
    return cancel_all_command(account, market_id, side - 1 if side else SIDE_ANY)


def move_of(
    wire: signed_collateral_move_pb2.SignedCollateralMove, path: str
) -> tuple[CollateralMove, bytes]:
    """Return a collateral move's signed fields and its signature."""
    move = CollateralMove(
        account=of_length(f"{path}.account", wire.account, ADDRESS_BYTES),
        market_id=in_range(f"{path}.market_id", wire.market_id, 1, MARKET_ID_MAX),
        amount_quote=in_range(f"{path}.amount_quote", wire.amount_quote, -QUOTE_MAX, QUOTE_MAX),
        nonce=wire.nonce,
        expiry_time_s=in_range(f"{path}.expiry_time_s", wire.expiry_time_s, 1, UINT32_MAX),
    )
    return move, of_length(f"{path}.signature", wire.signature, SIGNATURE_BYTES)


def move_command(move: CollateralMove, signature: bytes, account: int) -> tuple[Command, bytes]:
    """Return the MOVE_COLLATERAL of a registered account, and its extra."""
    command = Command(
        kind=CommandKind.MOVE_COLLATERAL,
        market_id=move.market_id,
        account=account,
        nonce=move.nonce,
        amount_quote=move.amount_quote,
        expiry_time_s=move.expiry_time_s,
    )
    return command, signature


def top_up_of(wire: signed_auto_top_up_pb2.SignedAutoTopUp, path: str) -> tuple[AutoTopUp, bytes]:
    """Return a standing instruction's signed fields and its signature."""
    top_up = AutoTopUp(
        account=of_length(f"{path}.account", wire.account, ADDRESS_BYTES),
        market_id=in_range(f"{path}.market_id", wire.market_id, 1, MARKET_ID_MAX),
        cap_quote=in_range(f"{path}.cap_quote", wire.cap_quote, 0, QUOTE_MAX),
        nonce=wire.nonce,
        expiry_time_s=in_range(f"{path}.expiry_time_s", wire.expiry_time_s, 1, UINT32_MAX),
    )
    return top_up, of_length(f"{path}.signature", wire.signature, SIGNATURE_BYTES)


def top_up_command(top_up: AutoTopUp, signature: bytes, account: int) -> tuple[Command, bytes]:
    """Return the AUTO_TOP_UP of a registered account, and its extra."""
    command = Command(
        kind=CommandKind.AUTO_TOP_UP,
        market_id=top_up.market_id,
        account=account,
        nonce=top_up.nonce,
        amount_quote=top_up.cap_quote,
        expiry_time_s=top_up.expiry_time_s,
    )
    return command, signature


def withdrawal_of(
    wire: signed_withdrawal_pb2.SignedWithdrawal, path: str
) -> tuple[Withdrawal, bytes]:
    """Return a withdrawal's signed fields and its signature."""
    withdrawal = Withdrawal(
        account=of_length(f"{path}.account", wire.account, ADDRESS_BYTES),
        receiver=of_length(f"{path}.receiver", wire.receiver, ADDRESS_BYTES),
        amount_quote=in_range(f"{path}.amount_quote", wire.amount_quote, 0, QUOTE_MAX),
        nonce=wire.nonce,
        expiry_time_s=in_range(f"{path}.expiry_time_s", wire.expiry_time_s, 1, UINT32_MAX),
    )
    if not any(withdrawal.receiver):
        raise field_error(f"{path}.receiver", "an address", "zero")
    return withdrawal, of_length(f"{path}.signature", wire.signature, SIGNATURE_BYTES)


def withdraw_command(
    withdrawal: Withdrawal, signature: bytes, account: int
) -> tuple[Command, bytes]:
    """Return the WITHDRAW of a registered account, and its extra."""
    command = Command(
        kind=CommandKind.WITHDRAW,
        account=account,
        nonce=withdrawal.nonce,
        amount_quote=withdrawal.amount_quote,
        expiry_time_s=withdrawal.expiry_time_s,
    )
    return command, WithdrawExtra(withdrawal.receiver, signature).pack()


def index_price_of(
    wire: signed_index_price_pb2.SignedIndexPrice, path: str
) -> tuple[IndexPrice, bytes]:
    """Return an index price's signed fields and its signature."""
    price = IndexPrice(
        market_id=in_range(f"{path}.market_id", wire.market_id, 1, MARKET_ID_MAX),
        price_ticks=in_range(f"{path}.price_ticks", wire.price_ticks, 0, UINT32_MAX),
        time_ms=in_range(f"{path}.time_ms", wire.time_ms, 1, TIME_MS_MAX),
    )
    return price, of_length(f"{path}.signature", wire.signature, SIGNATURE_BYTES)


def deposit_command(wire: chain_event_pb2.ChainDeposit, path: str) -> tuple[Command, bytes]:
    """Return the DEPOSIT; the account's index is found when it is applied."""
    command = Command(
        kind=CommandKind.DEPOSIT,
        nonce=in_range(f"{path}.deposit_seq", wire.deposit_seq, 1, INT64_MAX),
        amount_quote=in_range(f"{path}.amount_quote", wire.amount_quote, 1, QUOTE_MAX),
    )
    return command, of_length(f"{path}.account", wire.account, ADDRESS_BYTES)


def announcement_command(
    wire: chain_event_pb2.ParametersAnnouncement, held: MarketSpec, path: str
) -> tuple[Command, bytes]:
    """Return the ANNOUNCE_PARAMETERS; what the contract does not know stays as it is held.

    The contract judges sets by its own rules. One that section 2 of SPEC.md does not admit fails
    the call.
    """
    seen = market_spec_of(wire.spec)
    spec = replace(held, **{name: getattr(seen, name) for name in PARAMETERS_ON_CHAIN})
    command = Command(
        kind=CommandKind.ANNOUNCE_PARAMETERS,
        market_id=spec.market_id,
        nonce=in_range(f"{path}.announcement_seq", wire.announcement_seq, 1, INT64_MAX),
        aux=in_range(f"{path}.effective_time_s", wire.effective_time_s, 1, UINT32_MAX),
    )
    return command, spec.pack()


def request_command(wire: chain_event_pb2.ChainRequest, path: str) -> tuple[Command, bytes]:
    """Return the FORCED_REQUEST; the account's index is found when it is applied."""
    kind = RequestKind(in_range(f"{path}.kind", wire.kind, 1, len(RequestKind)))
    least = int(kind not in _VENUE_REQUESTS)
    command = Command(
        kind=CommandKind.FORCED_REQUEST,
        market_id=in_range(f"{path}.market_id", wire.market_id, least, MARKET_ID_MAX * least),
        flags=kind,
        nonce=in_range(f"{path}.request_id", wire.request_id, 1, INT64_MAX),
        aux=wire.amount_or_nonce,
        amount_quote=in_range(f"{path}.further_nonces", wire.further_nonces, 0, FURTHER_NONCES_MAX),
    )
    return command, of_length(f"{path}.account", wire.account, ADDRESS_BYTES)


def notice_command(wire: chain_event_pb2.ChainNotice, path: str) -> tuple[Command, bytes]:
    """Return what a notice makes the matcher do; its `nonce` is its place on the chain."""
    block_number = in_range(f"{path}.block_number", wire.block_number, 0, BLOCK_NUMBER_MAX)
    log_index = in_range(f"{path}.log_index", wire.log_index, 0, LOG_INDEX_MAX)
    place = (block_number << LOG_INDEX_BITS) + log_index + 1
    match wire.WhichOneof("notice"):
        case "risk_pause":
            is_paused = int(wire.risk_pause.is_paused)
            return Command(kind=CommandKind.PAUSE_RISK, nonce=place, aux=is_paused), b""
        case _:
            raise field_error(f"{path}.notice", "risk_pause", "none")


def receipt_of(wire: chain_event_pb2.BatchReceipt, path: str) -> BatchReceipt:
    """Return a batch's receipt."""
    in_range(f"{path}.rejected_items", len(wire.rejected_items), 0, REJECTED_ITEMS_MAX)
    rejected = tuple(
        (
            in_range(
                f"{path}.rejected_items[{index}].item_seq",
                item.item_seq,
                wire.first_item_seq,
                wire.last_item_seq,
            ),
            in_range(f"{path}.rejected_items[{index}].reason", item.reason, 1, 0xFFFF),
        )
        for index, item in enumerate(wire.rejected_items)
    )
    return BatchReceipt(
        batch_seq=in_range(f"{path}.batch_seq", wire.batch_seq, 1, INT64_MAX),
        first_item_seq=in_range(f"{path}.first_item_seq", wire.first_item_seq, 1, INT64_MAX),
        last_item_seq=in_range(
            f"{path}.last_item_seq", wire.last_item_seq, wire.first_item_seq, INT64_MAX
        ),
        block_number=in_range(f"{path}.block_number", wire.block_number, 0, INT64_MAX),
        tx_hash=of_length(f"{path}.tx_hash", wire.tx_hash, TX_HASH_BYTES),
        rejected_items=rejected,
    )


def receipt_command(receipt: BatchReceipt) -> tuple[Command, bytes]:
    """Return the BATCH_RECEIPT and its extra."""
    return Command(kind=ShellKind.BATCH_RECEIPT), receipt.pack()


def progress_of(wire: chain_event_pb2.BatchProgress, path: str, item_seq_max: int) -> Progress:
    """Return a batch's progress before its receipt."""
    state = SettlementState(in_range(f"{path}.state", wire.state, 2, 3))
    first = in_range(f"{path}.first_item_seq", wire.first_item_seq, 1, item_seq_max)
    if state == SettlementState.SUBMITTED:
        of_length(f"{path}.tx_hash", wire.tx_hash, TX_HASH_BYTES)
    return Progress(
        batch_seq=in_range(f"{path}.batch_seq", wire.batch_seq, 1, INT64_MAX),
        state=state,
        first_item_seq=first,
        last_item_seq=in_range(f"{path}.last_item_seq", wire.last_item_seq, first, item_seq_max),
        tx_hash=wire.tx_hash,
    )


def market_spec_of(spec: market_spec_pb2.MarketSpec) -> MarketSpec:
    """Return parameters. Raises FIELD_INVALID that names the rule of SPEC.md."""
    try:
        return MarketSpec(
            market_id=spec.market_id,
            quote_per_tick_lot=spec.quote_per_tick_lot,
            price_ticks_max=spec.price_ticks_max,
            position_lots_max=spec.position_lots_max,
            fee_maker_ppm=spec.fee_maker_ppm,
            fee_taker_ppm=spec.fee_taker_ppm,
            fee_liquidation_ppm=spec.fee_liquidation_ppm,
            liquidation_buffer_ppm=spec.liquidation_buffer_ppm,
            mark_band_ppm=spec.mark_band_ppm,
            funding_cap_ppm=spec.funding_cap_ppm,
            funding_interval_s=spec.funding_interval_s,
            index_age_max_ms=spec.index_age_max_ms,
            kind=ContractKind(spec.kind),
            expiry_time_s=spec.expiry_time_s,
            strike_ticks=spec.strike_ticks,
            option_initial_least_ppm=spec.option_initial_least_ppm,
            option_initial_ppm=spec.option_initial_ppm,
            option_maintenance_ppm=spec.option_maintenance_ppm,
            option_maintenance_of_mark_ppm=spec.option_maintenance_of_mark_ppm,
            option_put_initial_ppm=spec.option_put_initial_ppm,
            impact_notional_quote=spec.impact_notional_quote,
            funding_period_s=spec.funding_period_s,
            funding_interest_ppm=spec.funding_interest_ppm,
            funding_clamp_ppm=spec.funding_clamp_ppm,
            grace_s=spec.grace_s,
            order_band_ppm=spec.order_band_ppm,
            open_interest_lots_max=spec.open_interest_lots_max,
            tiers=tuple(
                Tier(
                    notional_floor_quote=tier.notional_floor_quote,
                    margin_initial_ppm=tier.margin_initial_ppm,
                    margin_maintenance_ppm=tier.margin_maintenance_ppm,
                )
                for tier in spec.tiers
            ),
        )
    except ValueError as exc:
        raise field_error("spec", "what SPEC.md section 2 admits", exc) from exc


def listing_of(spec: market_spec_pb2.MarketSpec, display: market_spec_pb2.MarketDisplay) -> Listing:
    """Return a listing. Raises FIELD_INVALID that names the rule of SPEC.md."""
    symbol = display.symbol
    if not 1 <= len(symbol) <= 32 or not SYMBOL_CHARACTERS.issuperset(symbol):
        raise field_error("display.symbol", "1 to 32 characters of A-Z, 0-9 and -", repr(symbol))
    return Listing(
        market_spec_of(spec),
        symbol,
        in_range("display.price_tick_e9", display.price_tick_e9, 1, INT64_MAX),
        in_range("display.qty_lot_e9", display.qty_lot_e9, 1, INT64_MAX),
        in_range("display.collateral_decimals", display.collateral_decimals, 0, 18),
    )


def set_market_state_command(market_id: int, state: int) -> tuple[Command, bytes]:
    """Return the SET_MARKET_STATE; the wire's state numbers are the engine's."""
    command = Command(
        kind=CommandKind.SET_MARKET_STATE,
        market_id=in_range("market_id", market_id, 1, MARKET_ID_MAX),
        aux=in_range("state", state, 1, max(MarketState)),
    )
    return command, b""
