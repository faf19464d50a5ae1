"""How many orders a second are signed and checked by one core, against libsecp256k1 alone."""

from __future__ import annotations

from collections.abc import Iterator

from coincurve import PrivateKey, PublicKey

from bulkhead_signing import Domain, Order, SigningKey
from bulkhead_signing.keys import recover
from tests.bench.result import Result, best_ns

ORDER_COUNT = 300


def _orders(key: SigningKey) -> list[Order]:
    return [
        Order(key.address, 1, n & 1, 0, False, False, 60_000 + n, 10, 10_000, 500, 0, 0, n, 2**31)
        for n in range(ORDER_COUNT)
    ]


def measure_recover() -> Iterator[Result]:
    """Digest and recover the signer of each order."""
    key, domain = SigningKey(bytes(31) + b"\x07"), Domain(31337, bytes(20))
    signed = [(order, key.sign(domain.digest(order))) for order in _orders(key)]
    raw_key = PrivateKey(bytes(31) + b"\x07")
    raw = [raw_key.sign_recoverable(domain.digest(order), hasher=None) for order, _ in signed]
    digests = [domain.digest(order) for order, _ in signed]

    def ours() -> None:
        for order, signature in signed:
            assert recover(domain.digest(order), signature) == key.address

    def bare() -> None:
        for digest, signature in zip(digests, raw, strict=True):
            PublicKey.from_signature_and_message(signature, digest, hasher=None)

    value, limit = best_ns(ours), best_ns(bare)
    yield Result(
        "signing.recover",
        round(ORDER_COUNT * 1e9 / value),
        "orders/s",
        round(ORDER_COUNT * 1e9 / limit),
        {"orders": ORDER_COUNT, "limit": "coincurve's recovery without digest and address"},
    )


CASES = {"signing.recover": measure_recover}
