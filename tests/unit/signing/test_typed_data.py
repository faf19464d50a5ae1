"""The packed digests are those of EIP-712, and every field is in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from hypothesis import given
from hypothesis import strategies as st

from bulkhead_signing import (
    AutoTopUp,
    Batch,
    CollateralMove,
    Domain,
    IndexPrice,
    Login,
    Message,
    Order,
    SessionKey,
    TypedDataError,
    Withdrawal,
    keccak,
)
from bulkhead_signing import typed_data as td

U8, U32, U64 = (st.integers(0, 2**bits - 1) for bits in (8, 32, 64))
I64 = st.integers(-(2**63), 2**63 - 1)
ADDRESS = st.binary(min_size=20, max_size=20)
WORD = st.binary(min_size=32, max_size=32)
BOOL = st.booleans()

ENCODED_TYPES: dict[type, str] = {
    Order: td.ORDER_TYPE,
    CollateralMove: td.COLLATERAL_MOVE_TYPE,
    Withdrawal: td.WITHDRAWAL_TYPE,
    IndexPrice: td.INDEX_PRICE_TYPE,
    Batch: td.BATCH_TYPE,
    Login: td.LOGIN_TYPE,
    SessionKey: td.SESSION_KEY_TYPE,
    AutoTopUp: td.AUTO_TOP_UP_TYPE,
}
MESSAGES: st.SearchStrategy[Any] = st.one_of(
    st.builds(Order, ADDRESS, U32, U8, U8, BOOL, BOOL, U64, U64, U64, U32, U8, U64, U64, U64, WORD),
    st.builds(CollateralMove, ADDRESS, U32, I64, U64, U64),
    st.builds(Withdrawal, ADDRESS, ADDRESS, U64, U64, U64),
    st.builds(IndexPrice, U32, U64, U64),
    st.builds(Batch, U64, U32, WORD, WORD),
    st.builds(Login, ADDRESS, U64, WORD),
    st.builds(SessionKey, ADDRESS, ADDRESS, U64, U8, BOOL, U64, U64, U64),
    st.builds(AutoTopUp, ADDRESS, U32, U64, U64, U64),
)
DOMAINS = st.builds(Domain, st.integers(1, 2**256 - 1), ADDRESS)
DOMAIN = Domain(31337, b"\x11" * 20)
ORDER = Order(b"\x01" * 20, 1, 0, 0, False, False, 2, 3, 4, 5, 0, 0, 6, 7)
SAMPLES: list[Any] = [
    ORDER,
    CollateralMove(b"\x01" * 20, 1, -2, 3, 4),
    Withdrawal(b"\x01" * 20, b"\x02" * 20, 1, 2, 3),
    IndexPrice(1, 2, 3),
    Batch(1, 2, b"\x03" * 32, b"\x04" * 32),
    Login(b"\x01" * 20, 1, b"\x02" * 32),
    SessionKey(b"\x01" * 20, b"\x02" * 20, 3, 4, False, 5, 6, 7),
    AutoTopUp(b"\x01" * 20, 1, 2, 3, 4),
]


def fields_of(encoded_type: str) -> list[tuple[str, str]]:
    """Return the (type, name) pairs of an encoded type."""
    inside = encoded_type.partition("(")[2].rstrip(")")
    return [(kind, name) for kind, name in (field.split() for field in inside.split(","))]


def reference_digest(domain: Domain, message: Any) -> bytes:
    """Return the digest that eth_account computes."""
    encoded_type = ENCODED_TYPES[type(message)]
    fields = fields_of(encoded_type)
    name = encoded_type.partition("(")[0]
    values: dict[str, Any] = dict(zip((name for _, name in fields), message, strict=True))
    signable = encode_typed_data(
        full_message={
            "types": {
                "EIP712Domain": [
                    {"type": kind, "name": name} for kind, name in fields_of(td.DOMAIN_TYPE)
                ],
                name: [{"type": kind, "name": field} for kind, field in fields],
            },
            "primaryType": name,
            "domain": {
                "name": "Bulkhead",
                "version": "1",
                "chainId": domain.chain_id,
                "verifyingContract": domain.contract,
            },
            "message": values,
        }
    )
    return keccak(b"\x19" + signable.version + signable.header + signable.body)


@given(domain=DOMAINS, message=MESSAGES)
def test_digest_equals_the_reference_encoder(domain: Domain, message: Any) -> None:
    """SIG-2: the packed digest is that of EIP-712."""
    assert domain.digest(message) == reference_digest(domain, message)


def changed(value: Any) -> Any:
    """Return another value of the same kind and range."""
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case bytes():
            return bytes((value[0] ^ 1,)) + value[1:]
    raise AssertionError(value)


@pytest.mark.parametrize(
    ("message", "field"),
    [(message, field) for message in SAMPLES for field in message._fields],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_each_field_changes_the_digest(message: Any, field: str) -> None:
    """SIG-2: every field is in the digest."""
    fields = message._asdict()
    other = type(message)(**fields | {field: changed(fields[field])})
    assert DOMAIN.digest(message) != DOMAIN.digest(other)


@pytest.mark.parametrize("message", SAMPLES, ids=lambda message: type(message).__name__)
def test_chain_and_contract_change_the_digest(message: Message) -> None:
    digests = {
        domain.digest(message)
        for domain in (DOMAIN, Domain(31338, DOMAIN.contract), Domain(31337, b"\x12" * 20))
    }
    assert len(digests) == 3


def test_kinds_of_messages_never_share_a_digest() -> None:
    """The typehash separates types even where their words are equal."""
    move = CollateralMove(b"\x00" * 20, 1, 2, 3, 4)
    digests = {DOMAIN.digest(message) for message in [*SAMPLES, move]}
    assert len(digests) == len(SAMPLES) + 1


def test_signed_types_are_those_of_the_specification() -> None:
    """SPEC.md section 4 lists the types, letter by letter."""
    spec = (Path(__file__).parents[3] / "SPEC.md").read_text(encoding="utf-8")
    listed = re.findall(r"^(?:[A-Z]\w+)\(.+\)$", spec, re.MULTILINE)
    assert sorted(listed) == sorted(ENCODED_TYPES.values())


@pytest.mark.parametrize(
    "message",
    [
        IndexPrice(2**32, 1, 1),
        IndexPrice(1, -1, 1),
        IndexPrice(1, 2**64, 1),
        CollateralMove(b"\x01" * 20, 1, 2**63, 1, 1),
        CollateralMove(b"\x01" * 20, 1, -(2**63) - 1, 1, 1),
        CollateralMove(b"\x01" * 19, 1, 1, 1, 1),
        Withdrawal(b"\x01" * 20, b"\x01" * 21, 1, 1, 1),
        Batch(1, 1, b"\x00" * 31, b"\x00" * 32),
        Batch(1, 1, b"\x00" * 32, b"\x00" * 33),
        Login(b"", 1, b"\x00" * 32),
        Login(b"\x01" * 20, 1, b"\x00" * 16),
        ORDER._replace(account=b"\x01" * 32),
        ORDER._replace(side=256),
    ],
    ids=repr,
)
def test_what_does_not_fit_is_refused(message: Message) -> None:
    with pytest.raises(TypedDataError):
        DOMAIN.digest(message)


@pytest.mark.parametrize(("chain_id", "contract"), [(0, b"\x01" * 20), (1, b"\x01" * 32)])
def test_impossible_domains_are_refused(chain_id: int, contract: bytes) -> None:
    with pytest.raises(TypedDataError):
        Domain(chain_id, contract)


def test_domains_compare_by_chain_and_contract() -> None:
    same, other = Domain(31337, b"\x11" * 20), Domain(1, b"\x11" * 20)
    assert same == DOMAIN
    assert hash(same) == hash(DOMAIN)
    assert other != DOMAIN
