"""What is fuzzed: bytes become commands, the engine applies them, invariants and snapshots hold.

The first byte chooses how the rest is read: as records for the decoder, as records of kinds that
exist, as genes of 16 bytes, each a command that is mostly valid, or as genes of 32 bytes, whose
second half gives orders instructions and collects requests in groups. An exception other than the
decoder's own is a finding; so is whatever the sanitizers see.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tests import instrumented

instrumented.use()

from margin_core import MarketSpec, Tier  # noqa: E402
from matcher.engine.book import Book  # noqa: E402
from matcher.engine.commands import (  # noqa: E402
    COMMAND_BYTES,
    GROUP_ITEMS_MAX,
    Command,
    CommandKind,
    RequestKind,
    extension,
)
from matcher.engine.engine import Engine  # noqa: E402
from matcher.engine.instructions import FLAG_ATTACHED, FLAG_ON_LAST, FLAG_SLIDES, Instructions  # noqa: E402

Bytes = npt.NDArray[np.uint8]

NS: Final = 10**9
START_NS: Final = 1_700_000_000 * NS
ACCOUNTS: Final = 6
ORDERS: Final = 48
GENE_BYTES: Final = 16
RICH_BYTES: Final = 32
RICH_MODES: Final = frozenset({4, 5, 6})
SNAPSHOT_MODES: Final = frozenset({2, 4})
SLICE: Final = 24  # requests between two walks over the invariants
RECORD: Final = np.dtype({
    "names": [
        "kind", "side", "tif", "flags", "market", "trigger", "account", "price", "time_ns",
        "nonce", "order_id", "amount", "qty", "trigger_price", "expiry_s", "pad",
    ],
    "formats": [
        "u1", "u1", "u1", "u1", "<u2", "<u2", "<u4", "<u4", "<i8",
        "<u8", "<u8", "<i8", "<u4", "<u4", "<u4", "<u4",
    ],
})  # fmt: skip
assert RECORD.itemsize == COMMAND_BYTES


def table(*weighted: tuple[int, object], dtype: str = "i8") -> npt.NDArray[np.int64]:
    """Return 256 entries in which each value has its weight, in order."""
    values = [value for weight, value in weighted for _ in range(weight)]
    return np.array([values[k * len(values) // 256] for k in range(256)], dtype)


_RARE = {
    CommandKind.PLACE: 110, CommandKind.PRICE: 40, CommandKind.CANCEL: 24, CommandKind.TICK: 10,
    CommandKind.MOVE_COLLATERAL: 12, CommandKind.WITHDRAW: 6, CommandKind.AMEND: 8,
    CommandKind.REPLACE: 10, CommandKind.SET_MARKET_STATE: 8,
}  # fmt: skip
JOURNAL_ONLY: Final = frozenset({CommandKind.ANNOUNCE_PARAMETERS})  # no record of the engine
# These go before other records; rich genes make them well-formed, and mode 0 otherwise.
_HEADS = {CommandKind.EXTENSION, CommandKind.GROUP, *JOURNAL_ONLY}
KINDS: Final = table(
    *((_RARE.get(kind, 4), int(kind)) for kind in CommandKind if kind not in _HEADS)
)
ACCOUNT: Final = table(*((40, k) for k in range(1, ACCOUNTS + 1)), (3, 0), (3, 7), (2, 2**32 - 1))
MARKET: Final = table((150, 1), (90, 9), (6, 0), (5, 2), (5, 65_535))
SIDE: Final = table((120, 0), (120, 1), (12, 2), (4, 255))
TIF: Final = table((170, 0), (40, 1), (40, 2), (6, 3))
FLAGS: Final = table((180, 0), (30, 2), (30, 1), (8, 3), (8, 255))
TRIGGER: Final = table((200, 0), (26, 1), (26, 2), (4, 3))
LOTS: Final = table(*((20, k) for k in (1, 2, 3, 5, 8, 13, 20, 40, 100, 400)),
                    (8, 0), (4, 401), (4, 2**32 - 1), (4, 2**31))  # fmt: skip
PRICE: Final = table((1, 0), (1, 1), (1, 2_999), (1, 3_000), (1, 3_001), (1, 2**32 - 1),
                     *((1, 875 + 2 * k) for k in range(125)),
                     *((1, 969 + k // 2) for k in range(125)))  # fmt: skip
DIVISOR: Final = table((90, 3), (60, 7), (50, 12), (30, 19), (10, 25), (16, 1))
AMOUNT: Final = table((8, 0), (4, 1), (2, -1), (2, 2**60), (2, 2**60 + 1), (2, -(2**60)),
                      (1, 2**63 - 1), (1, -(2**63)), *((4, 10**k // 3) for k in range(1, 8)),
                      *((3, -(10**k) // 3) for k in range(1, 8)))  # fmt: skip
STEP_NS: Final = table((120, 0), (40, 1), (40, NS // 10), (40, NS), (12, 20 * NS), (4, 10**13))
# Rich genes are tamed but for one in sixteen: every field is then in its range, prices are near the
# mark, orders live long, margins suffice; so that orders rest and trade.
WILD_GENE: Final = 29
WILD_BELOW: Final = 16
TAME: Final = {
    1: (0, 240),
    2: (0, 240),
    3: (0, 236),
    4: (131, 125),
    5: (0, 160),
    6: (0, 236),
    7: (0, 240),
    8: (0, 210),
    9: (0, 248),
    11: (60, 190),
    12: (0, 200),
    14: (0, 200),
}
TAME_FIRST: Final = np.array([TAME.get(k, (0, 256))[0] for k in range(GENE_BYTES)])
TAME_SPAN: Final = np.array([TAME.get(k, (0, 256))[1] for k in range(GENE_BYTES)])
CHOICES: Final = {
    CommandKind.SET_MARKET_STATE: table((170, 1), (8, 2), (8, 3), (10, 4), (8, 5), (70, 6), (6, 7)),
    CommandKind.SETTLEMENT_REJECTED: table((60, 1), (196, 0)),
    CommandKind.PAUSE_RISK: table((40, 1), (216, 0)),
}
WORD_FLAGS: Final = table((120, 0), (40, 1), (40, 2), (30, 4), (20, 3), (6, 8))
PLAIN_BELOW: Final = 90
GROUPABLE: Final = frozenset(
    {CommandKind.PLACE, CommandKind.CANCEL, CommandKind.AMEND, CommandKind.REPLACE}
)
LIFE_S: Final = table((4, 0), (10, 1), (10, 5), (20, 60), (212, 10**6))
LIMITS: Final[dict[int, dict[str, Any]]] = {
    1: {},
    9: {
        "order_band_ppm": 100_000, "open_interest_lots_max": 150, "grace_s": 2,
        "impact_notional_quote": 20_000, "funding_period_s": 24, "funding_interest_ppm": 100,
        "funding_clamp_ppm": 500, "expiry_time_s": START_NS // NS + 30_000,  # three long waits
    },
}  # fmt: skip
FEES: Final = ((0, 500), (200, 3_000))
BOOK_KINDS: Final = table(
    (140, CommandKind.PLACE),
    (70, CommandKind.CANCEL),
    (40, CommandKind.AMEND),
    (6, CommandKind.TICK),
)


def spec_of(market_id: int, fees: tuple[int, int]) -> MarketSpec:
    """Return a market of small numbers, so that its edges are near."""
    tiers = tuple(
        Tier(notional_floor_quote=floor, margin_initial_ppm=rate, margin_maintenance_ppm=rate // 2)
        for floor, rate in ((0, 50_000), (40_000, 100_000), (100_000, 250_000))
    )
    return MarketSpec(
        market_id=market_id, quote_per_tick_lot=1, price_ticks_max=3_000, position_lots_max=400,
        fee_maker_ppm=fees[0], fee_taker_ppm=fees[1], mark_band_ppm=200_000,
        funding_cap_ppm=20_000, funding_interval_s=3, index_age_max_ms=10_000, tiers=tiers,
        **LIMITS[market_id],
    )  # fmt: skip


def fresh() -> Engine:
    """Return a small engine: two markets, funded accounts, a mark each."""
    engine = Engine(account_count_max=ACCOUNTS, position_count_max=16, order_count_max=ORDERS)
    for market_id, fees in zip((1, 9), FEES, strict=True):
        engine.list_market(spec_of(market_id, fees), START_NS)
    for _ in range(ACCOUNTS):
        engine.register_account()
    engine.apply(PRELUDE)
    return engine


def _prelude() -> bytes:
    records = [
        Command(CommandKind.DEPOSIT, account=k, nonce=k, amount_quote=10**5 * k, time_ns=START_NS)
        for k in range(1, ACCOUNTS + 1)
    ]
    records += [
        Command(
            CommandKind.FORCED_REQUEST, market_id=market, flags=RequestKind.GIVE, aux=300,
            time_ns=START_NS,
        )
        for market in (1, 9)
    ]  # fmt: skip
    records += [
        Command(
            CommandKind.PRICE, market_id=market, price_ticks=1_000, aux=START_NS // 10**6,
            time_ns=START_NS,
        )
        for market in (1, 9)
    ]  # fmt: skip
    return b"".join(record.pack() for record in records)


PRELUDE: Final = _prelude()


def commands_of(data: bytes) -> bytes:
    """Return the commands that genes stand for."""
    genes: Bytes = np.frombuffer(data, np.uint8, len(data) // GENE_BYTES * GENE_BYTES)
    g = genes.reshape(-1, GENE_BYTES).T
    records = np.zeros(g.shape[1], RECORD)
    if not len(records):
        return b""
    at = np.arange(len(records))
    time_ns = START_NS + np.cumsum(STEP_NS[g[1]])
    time_s = time_ns // NS
    kind = KINDS[g[0]]
    price, lots = PRICE[g[4]], LOTS[g[5]]
    records["kind"], records["time_ns"] = kind, time_ns
    records["account"], records["market"] = ACCOUNT[g[2]], MARKET[g[3]]
    records["price"], records["qty"] = price, lots
    records["side"], records["tif"], records["flags"] = SIDE[g[6]], TIF[g[7]], FLAGS[g[8]]
    records["trigger"], records["trigger_price"] = TRIGGER[g[9]], PRICE[g[10]]
    records["expiry_s"] = time_s + LIFE_S[g[11]]
    is_place = kind == CommandKind.PLACE
    takes_no_margin = is_place & (FLAGS[g[8]] == 2)
    margin = np.where(g[12] < 240, price * lots // DIVISOR[g[12]], AMOUNT[g[13]])
    records["amount"] = np.where(takes_no_margin, 0, np.where(is_place, margin, AMOUNT[g[13]]))
    is_deposit = kind == CommandKind.DEPOSIT
    deposit_seq = ACCOUNTS + np.cumsum(is_deposit)
    nonce = np.where(g[14] < 200, at + 1, g[14].astype(np.int64) - 200)
    records["nonce"] = np.where(is_deposit, deposit_seq, nonce)
    # Orders get their sequence and slot in turn, so an id can be guessed.
    guess = (np.maximum(1, at - (g[15] >> 3)).astype(np.uint64) << np.uint64(28)) | (
        1 + (at - (g[15] & 15)) % ORDERS
    ).astype(np.uint64)
    records["order_id"] = np.where(g[15] < 32, 0, guess)
    is_forced = kind == CommandKind.FORCED_REQUEST  # of every kind; small nonces and amounts
    records["flags"][is_forced] = g[8][is_forced] % 10
    records["order_id"][is_forced] = g[13][is_forced]
    is_price = kind == CommandKind.PRICE
    late_ms = np.where(g[14] < 220, 0, AMOUNT[g[13]] % 100_000)
    records["order_id"][is_price] = (time_ns // 10**6 + late_ms)[is_price].astype(np.uint64)
    has_aux = (kind == CommandKind.SET_MARKET_STATE) | (kind == CommandKind.SETTLEMENT_REJECTED)
    records["order_id"][has_aux] = np.where(g[15] < 150, 1, g[15] % 8)[has_aux]
    return records.tobytes()


def word_of(g: Bytes, record: npt.NDArray[np.void]) -> bytes:
    """Return the instruction word that sixteen bytes stand for: all but some fit the order."""
    if g[0] >= 250:
        return g.tobytes() * 2
    names = ("flags", "tif", "qty", "nonce")
    flags, tif, qty, nonce = (int(record[name][0]) for name in names)
    fits = [bool(flags & 1), bool(flags & 2), tif == 0, tif < 2 and not flags & 1]
    slides, attached, shows, waits = (ok or g[0] >= 240 for ok in fits)
    parts = [min(lots, 2**32 - 1) for lots in (0, 0, 0, 1, 2, 3, qty, qty + (g[0] >= 240))]
    allowed = FLAG_ON_LAST | FLAG_SLIDES * slides | FLAG_ATTACHED * attached | 8
    return Instructions(
        self_trade=int(g[1]) & 3,
        flags=int(WORD_FLAGS[g[2]]) & allowed,
        display_lots=parts[g[3] & 7] * shows,
        min_lots=parts[g[4] & 7] * waits if g[4] < 80 else 0,
        trailing_ticks=int(g[5]) & 63 if g[6] < 40 else 0,
        oco_nonce=min(((nonce - 1) ^ 1) + 1, 2**64 - 1) if nonce and g[8] < 50 else 0,
    ).pack()


def name_older(records: npt.NDArray[np.void], at: int, g: Bytes) -> int:
    """Let a request name an earlier order by its nonce; return the nonce, 0 without one."""
    older = np.flatnonzero(records["kind"][:at] == CommandKind.PLACE)[::-1][g[10] & 15 :]
    if not len(older) or g[12] >= 220:
        return 0
    for name in ("account", "market", "side"):
        records[name][at] = records[name][older[0]]
    records["order_id"][at] = 0
    return int(records["nonce"][older[0]])


def request_of(records: npt.NDArray[np.void], at: int, g: Bytes) -> bytes:
    """Return the record, behind an extension when its kind takes one and the gene wants it."""
    record = records[at : at + 1]
    old_nonce = 0
    if record["kind"][0] in (CommandKind.CANCEL, CommandKind.AMEND, CommandKind.REPLACE):
        old_nonce = name_older(records, at, g)
    if record["kind"][0] in (CommandKind.CANCEL, CommandKind.AMEND) and old_nonce:
        record["nonce"] = old_nonce
    kind, qty = int(record["kind"][0]), int(record["qty"][0])
    if kind not in (CommandKind.PLACE, CommandKind.REPLACE) or g[0] < PLAIN_BELOW:
        return record.tobytes()
    if g[8] < 50 and at & 1:  # the sibling of the one before
        records[["account", "market"]][at] = records[["account", "market"]][at - 1]
    payload = word_of(g, record)
    trails = int.from_bytes(payload[10:14], "big") > 0 or payload[1] & FLAG_ON_LAST
    if trails and g[9] < 240:
        record["trigger"] = 3 + (g[9] & 1)
    if kind == CommandKind.REPLACE:
        left = (0, 0, 0, qty)[g[11] & 3]
        payload += old_nonce.to_bytes(8, "little") + left.to_bytes(4, "little")
    return extension(payload) + record.tobytes()


def rich_commands_of(data: bytes) -> list[bytes]:
    """Return whole requests: the plain genes' records with extensions, some of them in groups."""
    genes = np.frombuffer(data, np.uint8, len(data) // RICH_BYTES * RICH_BYTES)
    genes = genes.reshape(-1, RICH_BYTES)
    is_tame = genes[:, WILD_GENE] >= WILD_BELOW
    first = genes[:, :GENE_BYTES].astype(np.int64)
    first[is_tame] = TAME_FIRST + first[is_tame] % TAME_SPAN
    plain = first.astype(np.uint8).tobytes()
    records = np.frombuffer(commands_of(plain), RECORD).copy()
    for kind, choice in CHOICES.items():
        chosen = is_tame & (records["kind"] == kind)
        records["order_id"][chosen] = choice[genes[chosen, 15]]
    found: list[bytes] = []
    items: list[bytes] = []
    wanted = 0
    for at, g in enumerate(genes[:, GENE_BYTES:]):
        if wanted == 0 and g[15] < 24:
            wanted = 1 + g[14] % GROUP_ITEMS_MAX if g[15] < 4 else 1 + (g[14] & 3)
        request = request_of(records, at, g)
        if wanted and records["kind"][at] in GROUPABLE:
            items.append(request)
            wanted -= 1
            if wanted == 0:
                found.append(grouped(items, int(records["time_ns"][at])))
                items = []
        else:
            found.append(request)
    return found


def grouped(items: list[bytes], time_ns: int) -> bytes:
    """Return a group of requests."""
    body = b"".join(items)
    head = Command(CommandKind.GROUP, time_ns=time_ns, qty_lots=len(body) // COMMAND_BYTES)
    return head.pack() + body


def known_kinds(data: bytes) -> bytes:
    """Return whole records with kinds that exist; everything else is as it came."""
    records = np.frombuffer(data, RECORD, len(data) // COMMAND_BYTES).copy()
    records["kind"] = KINDS[records["kind"]]
    return records.tobytes()


def whole_records(mode: int, body: bytes) -> list[bytes]:
    """Return the records of genes, or in mode 1 the body with kinds that exist, one by one."""
    records = known_kinds(body) if mode == 1 else commands_of(body)
    return [records[k : k + COMMAND_BYTES] for k in range(0, len(records), COMMAND_BYTES)]


def run_book(body: bytes) -> None:
    """Let the book alone apply what the genes say, in one market."""
    records = np.frombuffer(commands_of(body), RECORD).copy()
    genes = np.frombuffer(body, np.uint8, len(records) * GENE_BYTES).reshape(-1, GENE_BYTES)
    records["kind"] = BOOK_KINDS[genes[:, 0]]
    records["market"] = np.where(records["market"] == 9, 1, records["market"])
    book = Book(3_000, order_count_max=ORDERS)
    whole, step = records.tobytes(), SLICE * COMMAND_BYTES
    for begin in range(0, len(whole), step):
        book.apply(whole[begin : begin + step])
        book.check_invariants()


def run(data: bytes) -> None:
    """Run one input. Raises whatever is a finding."""
    if not data:
        return
    mode, body = data[0] % 8, data[1:]
    if mode == 3:
        run_book(body)
        return
    engine = fresh()
    if mode == 0:
        try:
            engine.apply(body)
        except ValueError as exc:
            if not str(exc).startswith("command"):
                raise
        engine.check_invariants()
        return
    requests = rich_commands_of(body) if mode in RICH_MODES else whole_records(mode, body)
    for begin in range(0, len(requests), SLICE):
        engine.apply(b"".join(requests[begin : begin + SLICE]))
        engine.check_invariants()
    if mode in SNAPSHOT_MODES:
        records = b"".join(requests)
        restored = Engine.restore(b"".join(engine.snapshot()))
        restored.check_invariants()
        if restored.state_hash() != engine.state_hash():
            raise AssertionError("the restored engine is in another state")
        if restored.apply(records) != engine.apply(records):
            raise AssertionError("the restored engine goes on in another way")
