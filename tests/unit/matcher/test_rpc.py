"""The gateway: the error table is total, tokens cannot be forged, malformed fields are named."""

from __future__ import annotations

from typing import Any

import pytest
from google.rpc import code_pb2, error_details_pb2, status_pb2

from bulkhead.matcher.v1 import chain_event_pb2, command_pb2
from bulkhead.types.v1 import (
    signed_collateral_move_pb2,
    signed_index_price_pb2,
    signed_order_pb2,
    signed_withdrawal_pb2,
    trigger_pb2,
)
from bulkhead.types.v1.error_reason_pb2 import ErrorReason
from bulkhead_signing import NO_INSTRUCTIONS, Domain, Login, SigningKey, sign_in_bulk
from matcher.engine.commands import unpack
from matcher.envelope import PlaceExtra
from matcher.errors import JournalError, OverloadedError, StoppedError
from matcher.feed.account_events import AccountEventBody
from matcher.feed.accounts import SeqOutOfRangeError
from matcher.feed.subscription import SlowConsumerError
from matcher.rpc import convert, convert_events
from matcher.rpc.auth import SessionTokens, check_login, is_signed_by
from matcher.rpc.status import TABLE, CallError, call_error_from, field_error, status_of

ADDRESS = b"\x01" * 20
DOMAIN = Domain(1, ADDRESS)
KEY = SigningKey(b"\x07" * 32)


def test_every_reason_has_a_row() -> None:
    assert set(TABLE) == set(ErrorReason.values()) - {0}
    assert all(row.code != code_pb2.OK for row in TABLE.values())


def test_every_event_has_a_message() -> None:
    kinds = set(AccountEventBody.__args__)
    assert set(convert_events._SESSION) == kinds


def test_a_status_has_one_error_info_and_names_the_field() -> None:
    status = status_of(field_error("orders[3].nonce", "1 to 5", 9))
    ((_, packed),) = status.trailing_metadata
    decoded = status_pb2.Status.FromString(packed)
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert decoded.details[0].Unpack(info)
    assert decoded.details[1].Unpack(bad)
    assert len(decoded.details) == 2
    assert (info.reason, info.domain) == ("FIELD_INVALID", "matcher.bulkhead")
    assert info.metadata["is_retryable"] == "false"
    assert bad.field_violations[0].field == "orders[3].nonce"
    assert "expected 1 to 5, found 9" in decoded.message


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OverloadedError("full"), "LIMIT_REACHED"),
        (StoppedError("stop"), "NOT_READY"),
        (SlowConsumerError("slow"), "SLOW_CONSUMER"),
        (SeqOutOfRangeError(5, 1, 3), "SEQ_OUT_OF_RANGE"),
        (JournalError("disk"), "NOT_READY"),
    ],
)
def test_errors_of_the_shell_have_a_reason(error: Any, reason: str) -> None:
    found = ErrorReason.Name(call_error_from(error).reason)
    assert found == f"ERROR_REASON_{reason}"


def test_tokens_are_good_for_their_account_and_time() -> None:
    tokens = SessionTokens(ttl_ms=1)
    token, expiry_time_ns = tokens.issue(ADDRESS, 1_000)
    assert expiry_time_ns == 1_001_000
    assert tokens.address_of(token, expiry_time_ns) == ADDRESS
    assert tokens.address_of(token, expiry_time_ns + 1) is None
    assert SessionTokens(ttl_ms=1).address_of(token, 1_000) is None
    for position in range(len(token)):
        forged = token[:position] + ("A" if token[position] != "A" else "B") + token[position + 1 :]
        assert tokens.address_of(forged, 1_000) in {None, ADDRESS} - {ADDRESS}
    for rubbish in ("", "x", "é", token + "A", token[:-4]):
        assert tokens.address_of(rubbish, 1_000) is None


def test_a_login_is_signed_by_its_account_and_recent() -> None:
    login = Login(KEY.address, 1_000_000, bytes(32))
    signature = KEY.sign(DOMAIN.digest(login))
    check_login(DOMAIN, login, signature, now_ms=1_030_000, ttl_ms=30_000)
    bad = [
        (login, signature, 1_030_001),
        (login, signature, 969_999),
        (login._replace(challenge=b"\x01" * 32), signature, 1_000_000),
        (login._replace(account=ADDRESS), signature, 1_000_000),
        (login, bytes(64), 1_000_000),
    ]
    for wrong, wrong_signature, now_ms in bad:
        with pytest.raises(CallError) as caught:
            check_login(DOMAIN, wrong, wrong_signature, now_ms=now_ms, ttl_ms=30_000)
        assert caught.value.reason == ErrorReason.ERROR_REASON_LOGIN_INVALID


def order(**changes: Any) -> signed_order_pb2.SignedOrder:
    fields: dict[str, Any] = {
        "account": ADDRESS,
        "market_id": 1,
        "side": 1,
        "time_in_force": 1,
        "price_ticks": 1,
        "qty_lots": 1,
        "expiry_time_s": 1,
        "signature": bytes(64),
    }
    return signed_order_pb2.SignedOrder(**{**fields, **changes})


def test_a_good_order_passes_with_the_signed_numbers() -> None:
    trigger = trigger_pb2.Trigger(kind=2, price_ticks=9)  # type: ignore[arg-type]
    converted, _ = convert.order_of(order(trigger=trigger, is_reduce_only=True, side=2), "order")
    assert (converted.side, converted.time_in_force, converted.trigger_kind) == (1, 0, 2)
    command, _ = convert.place_command(converted, bytes(64), 5)
    assert (command.account, command.flags, command.trigger_price_ticks) == (5, 2, 9)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"account": b"short"}, "account"),
        ({"market_id": 0}, "market_id"),
        ({"market_id": 65_536}, "market_id"),
        ({"side": 0}, "side"),
        ({"side": 3}, "side"),
        ({"time_in_force": 0}, "time_in_force"),
        ({"price_ticks": -1}, "price_ticks"),
        ({"qty_lots": -1}, "qty_lots"),
        ({"margin_quote": 2**60 + 1}, "margin_quote"),
        ({"fee_ppm_max": 1_000_001}, "fee_ppm_max"),
        ({"price_ticks": 2**32}, "price_ticks"),
        ({"qty_lots": 2**32}, "qty_lots"),
        ({"expiry_time_s": 2**32}, "expiry_time_s"),
        ({"expiry_time_s": -1}, "expiry_time_s"),
        ({"trigger": trigger_pb2.Trigger(kind=1, price_ticks=2**32)}, "trigger.price_ticks"),  # type: ignore[arg-type]
        ({"expiry_time_s": 0}, "expiry_time_s"),
        ({"trigger": trigger_pb2.Trigger()}, "trigger.kind"),
        ({"signature": b""}, "signature"),
        ({"signature": bytes(66)}, "signature"),
        ({"signature": bytes(66 + 11 * 32)}, "signature"),
    ],
)
def test_a_malformed_order_names_its_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(CallError) as caught:
        convert.order_of(order(**changes), "commands[2].place_order.order")
    assert caught.value.reason == ErrorReason.ERROR_REASON_FIELD_INVALID
    assert caught.value.field == f"commands[2].place_order.order.{field}"


def test_an_order_of_a_tree_is_its_owners() -> None:
    """SIG-4: each with its own share; another's share, or a place that the tree lacks, is not."""
    wires = [order(account=KEY.address, nonce=nonce) for nonce in range(3)]
    orders = [convert.order_of(wire, "order")[0] for wire in wires]
    shares = sign_in_bulk(orders, DOMAIN, KEY)
    for each, share in zip(orders, shares, strict=True):
        assert convert.order_of(order(signature=share), "order")[1] == share
        assert is_signed_by(DOMAIN, each, share, KEY.address)
    assert not is_signed_by(DOMAIN, orders[0], shares[1], KEY.address)
    nowhere = shares[0][:64] + b"\xff\xff" + shares[0][66:]
    assert not is_signed_by(DOMAIN, orders[0], nowhere, KEY.address)


@pytest.mark.parametrize("instructions", [NO_INSTRUCTIONS, b"\x01" + bytes(31)])
@pytest.mark.parametrize("height", [0, 1, 10])
def test_what_is_signed_comes_back_from_the_journal(instructions: bytes, height: int) -> None:
    signature = bytes(range(64)) + (bytes(2) + b"\x05" * 32 * height if height else b"")
    extra = PlaceExtra(7, signature, instructions)
    assert PlaceExtra.unpack(extra.pack()) == extra


def test_the_largest_numbers_that_pass_fit_the_engines_record() -> None:
    most = 2**32 - 1
    trigger = trigger_pb2.Trigger(kind=2, price_ticks=most)  # type: ignore[arg-type]
    wire = order(
        market_id=65_535, price_ticks=most, qty_lots=most, expiry_time_s=most, trigger=trigger,
        margin_quote=2**60, nonce=2**64 - 1,
    )  # fmt: skip
    command, _ = convert.place_command(convert.order_of(wire, "order")[0], bytes(64), 1)
    assert unpack(command.pack()) == command


def test_other_malformed_messages_name_their_field() -> None:
    withdrawal = signed_withdrawal_pb2.SignedWithdrawal(
        account=ADDRESS, receiver=bytes(20), expiry_time_s=1, signature=bytes(64)
    )
    late = signed_withdrawal_pb2.SignedWithdrawal(
        account=ADDRESS, receiver=ADDRESS, expiry_time_s=2**32, signature=bytes(64)
    )
    late_move = signed_collateral_move_pb2.SignedCollateralMove(
        account=ADDRESS, market_id=1, expiry_time_s=2**32, signature=bytes(64)
    )
    high = signed_index_price_pb2.SignedIndexPrice(
        market_id=1, price_ticks=2**32, time_ms=1, signature=bytes(64)
    )
    deposit = chain_event_pb2.ChainDeposit(deposit_seq=1, amount_quote=1)
    receipt = chain_event_pb2.BatchReceipt(
        batch_seq=1, first_item_seq=5, last_item_seq=4, tx_hash=bytes(32)
    )
    cases: list[tuple[Any, str]] = [
        (lambda: convert.withdrawal_of(withdrawal, "w"), "w.receiver"),
        (lambda: convert.withdrawal_of(late, "w"), "w.expiry_time_s"),
        (lambda: convert.move_of(late_move, "m"), "m.expiry_time_s"),
        (lambda: convert.index_price_of(high, "p"), "p.price_ticks"),
        (lambda: convert.deposit_command(deposit, "d"), "d.account"),
        (lambda: convert.receipt_of(receipt, "r"), "r.last_item_seq"),
        (lambda: convert.cancel_command(command_pb2.CancelOrder(), 1, "c"), "c.target"),
        (lambda: convert.set_market_state_command(1, 9), "state"),
    ]
    for convert_it, field in cases:
        with pytest.raises(CallError) as caught:
            convert_it()
        assert caught.value.field == field
