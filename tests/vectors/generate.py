"""Writes the cases on which Solidity is checked against the slow model; `--check` compares."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from margin_core import ContractKind, Verdict
from margin_core.limits import ORDER_LOTS_MAX, QUOTE_MAX, TIERS_MAX
from tests.model.cases import (
    any_bucket,
    any_fund,
    any_lots,
    any_market,
    any_spec,
    corner_bucket,
    corner_contract,
    corner_market,
    lots_to_close,
    order_of,
    price_to_close,
    steep_contract,
    weak_bucket,
)
from tests.model.margin import Bucket, Market, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from margin_core import MarketSpec

ROOT = Path(__file__).resolve().parent.parent.parent
PATH = ROOT / "settlement/contracts/test/vectors/margin.json"
SPECS, STEEP, CORNERS = 64, 12, 8  # markets; those with a low and a high tier; those at bounds
CASES = 2_500  # of each of the eight kinds

POSITION = "position_lots entry_value_quote collateral_quote funding_index_e6"
AT = f"spec {POSITION} market_funding_index_e6 mark_ticks"
AFTER = "after_lots after_entry_value_quote after_collateral_quote"
TIER = "floor_quote_{0} initial_ppm_{0} maintenance_ppm_{0}"
COLUMNS = {
    "specs": "quote_per_tick_lot price_ticks_max position_lots_max fee_maker_ppm fee_taker_ppm"
    " fee_liquidation_ppm liquidation_buffer_ppm mark_band_ppm tier_count "
    + " ".join(map(TIER.format, range(TIERS_MAX))),
    "state": f"{AT} funding_owed_quote equity_quote maintenance_quote initial_quote"
    " is_liquidatable liquidation_price_ticks bankruptcy_price_ticks adl_rank",
    "fill": f"{AT} side lots price_ticks fee_ppm margin_quote order_lots filled_lots free_quote"
    f" verdict {AFTER} free_delta_quote fee_quote funding_quote",
    "top_up": f"{AT} amount_quote free_quote verdict {AFTER} free_delta_quote",
    "take_out": f"{AT} amount_quote verdict {AFTER} free_delta_quote",
    "liquidation_fill": f"{AT} lots price_ticks verdict {AFTER} free_delta_quote fee_quote",
    "takeover": f"{AT} fund_lots fund_entry_value_quote fund_collateral_quote fund_index_e6 verdict"
    " fund_after_lots fund_after_entry_value_quote fund_after_collateral_quote",
    "fund_fill": f"{AT} side lots price_ticks verdict {AFTER}",
    "adl": f"{AT} other_lots other_entry_value_quote other_collateral_quote other_index_e6 lots"
    f" verdict {AFTER} free_delta_quote other_after_lots other_after_entry_value_quote"
    " other_after_collateral_quote other_free_delta_quote",
}
Row = list[int]


def spec_row(spec: MarketSpec) -> Row:
    row = [getattr(spec, name) for name in COLUMNS["specs"].split()[:8]]
    row.append(len(spec.tiers))
    for tier in spec.tiers:
        row += [
            tier.notional_floor_quote,
            tier.margin_initial_ppm,
            tier.margin_maintenance_ppm,
        ]
    return row + [0] * (3 * (TIERS_MAX - len(spec.tiers)))


def fields(p: Bucket) -> Row:
    return [p.lots, p.value, p.margin, p.index]


def judged(change: Callable[[], tuple[Row, tuple[Bucket, ...]]], width: int) -> Row | None:
    """Return verdict and result; zeros when refused, nothing when it leaves the bounds."""
    try:
        row, buckets = change()
    except RefusedError as refused:
        return [Verdict[str(refused)], *([0] * (width - 1))]
    sizes = [abs(n) for p in buckets for n in (p.value, p.margin, p.funding, p.free)]
    return [0, *row] if max(sizes) <= QUOTE_MAX else None


def state(_rng: Random, m: Market, p: Bucket) -> Row | None:
    return [
        m.owed(p),
        m.equity(p),
        m.maintenance(p),
        m.initial(p),
        int(m.liquidatable(p)),
        m.liquidation_price(p),
        m.bankruptcy_price(p),
        m.adl_rank(p),
    ]


def fill(rng: Random, m: Market, p: Bucket) -> Row | None:
    order = order_of(rng, m, p)

    def change() -> tuple[Row, tuple[Bucket, ...]]:
        after = m.fill(p, **order)
        return [*fields(after)[:3], after.free, after.fee, after.funding], (after,)

    result = judged(change, 7)
    side = 0 if order.pop("sign") > 0 else 1
    return result and [side, *order.values(), *result]


def top_up(rng: Random, m: Market, p: Bucket) -> Row | None:
    amount = rng.choice((1, rng.randint(1, 10**9)))
    free = rng.choice((amount, amount - 1, QUOTE_MAX))

    def change() -> tuple[Row, tuple[Bucket, ...]]:
        after = m.top_up(p, amount, free)
        return [*fields(after)[:3], after.free], (after,)

    result = judged(change, 5)
    return result and [amount, free, *result]


def take_out(rng: Random, m: Market, p: Bucket) -> Row | None:
    surplus = m.equity(p) - m.initial(p)
    amount = rng.choice((1, surplus, surplus + 1, p.margin - m.owed(p), rng.randint(1, 10**9)))
    amount = min(QUOTE_MAX, max(1, amount))

    def change() -> tuple[Row, tuple[Bucket, ...]]:
        after = m.take_out(p, amount)
        return [*fields(after)[:3], after.free], (after,)

    result = judged(change, 5)
    return result and [amount, *result]


def liquidation_fill(rng: Random, m: Market, p: Bucket) -> Row | None:
    price = price_to_close(rng, m, p)
    lots = lots_to_close(rng, m, p, price)

    def change() -> tuple[Row, tuple[Bucket, ...]]:
        after = m.liquidation_fill(p, lots, price)
        return [*fields(after)[:3], after.free, after.fee], (after,)

    result = judged(change, 6)
    return result and [lots, price, *result]


def takeover(rng: Random, m: Market, p: Bucket) -> Row | None:
    fund = any_fund(rng, m)

    def change() -> tuple[Row, tuple[Bucket, ...]]:
        trader, after = m.takeover(p, fund)
        return fields(after)[:3], (trader, after)

    result = judged(change, 4)
    return result and [*fields(fund), *result]


def adl(rng: Random, m: Market, p: Bucket) -> Row | None:
    other = any_bucket(rng, m, -1 if p.lots > 0 else 1)
    if m.liquidatable(other):
        return None
    most = min(abs(p.lots), abs(other.lots))
    lots = rng.choice((1, most, rng.randint(1, most)))

    def change() -> tuple[Row, tuple[Bucket, ...]]:
        a, b = m.adl(p, other, lots)
        return [*fields(a)[:3], a.free, *fields(b)[:3], b.free], (a, b)

    result = judged(change, 9)
    return result and [*fields(other), lots, *result]


def fund_fill(rng: Random, m: Market, p: Bucket) -> Row | None:
    side = int(p.lots > 0)
    lots = any_lots(rng, min(abs(p.lots), ORDER_LOTS_MAX))
    band = m.mark * m.spec.mark_band_ppm // 1_000_000
    price = m.mark + rng.choice((1, -1)) * rng.choice((band, band - 1, band + 1, band // 2, 0))
    price = max(1, min(m.spec.price_ticks_max, price))

    def change() -> tuple[Row, tuple[Bucket, ...]]:
        after = m.fund_fill(p, -1 if side else 1, lots, price)
        return fields(after)[:3], (after,)

    result = judged(change, 4)
    return result and [side, lots, price, *result]


KINDS: dict[str, Callable[[Random, Market, Bucket], Row | None]] = {
    "state": state,
    "fill": fill,
    "top_up": top_up,
    "take_out": take_out,
    "liquidation_fill": liquidation_fill,
    "takeover": takeover,
    "adl": adl,
    "fund_fill": fund_fill,
}


def any_case(rng: Random, specs: list[MarketSpec], number: int) -> tuple[Market, Bucket]:
    """Return a market and a position; the last markets are at their bounds, so are positions."""
    if number >= len(specs) - CORNERS and rng.random() < 0.5:
        m = corner_market(rng, specs[number])
        return m, rng.choice((corner_bucket, any_bucket))(rng, m)
    m = any_market(rng, specs[number])
    return m, rng.choice((any_bucket, any_bucket, weak_bucket))(rng, m)


def rows_of(kind: str, specs: list[MarketSpec], seed: str = "") -> list[Row]:
    """Return the cases of one kind: at least two of five admitted, the rest refused."""
    rng, refused = Random(kind + seed), 0
    rows: list[Row] = []
    verdict_at = COLUMNS[kind].split().index("verdict") if kind != "state" else 0
    while len(rows) < CASES:
        number = rng.randrange(len(specs))
        m, p = any_case(rng, specs, number)
        result = KINDS[kind](rng, m, p)
        if result is None:
            continue
        row = [number, *fields(p), m.index, m.mark, *result]
        refused += row[verdict_at] != 0
        if row[verdict_at] and refused > CASES * 3 // 5 and kind != "state":
            continue
        rows.append(row)
    return rows


def cases(seed: str = "") -> tuple[list[MarketSpec], dict[str, list[Row]]]:
    """Return markets, and the cases of each kind; every seed gives others."""
    rng = Random("specs" + seed)
    specs = [
        *(any_spec(rng) for _ in range(SPECS - STEEP - CORNERS)),
        *(steep_contract(rng, ContractKind.LINEAR_PERPETUAL) for _ in range(STEEP)),
        *(corner_contract(rng, ContractKind.LINEAR_PERPETUAL) for _ in range(CORNERS)),
    ]
    return specs, {kind: rows_of(kind, specs, seed) for kind in KINDS}


def text(specs: list[MarketSpec], rows_by_kind: dict[str, list[Row]]) -> str:
    """Return the file: for each kind one flat array, a case a line, and its columns."""
    tables = {"specs": [spec_row(spec) for spec in specs]} | rows_by_kind
    parts = ['"columns": ' + json.dumps({k: v.split() for k, v in COLUMNS.items()})]
    for kind, rows in tables.items():
        assert all(len(row) == len(COLUMNS[kind].split()) for row in rows), kind
        lines = ",\n".join(",".join(map(str, map(int, row))) for row in rows)
        parts.append(f'"{kind}": [\n{lines}]')
    return "{" + ",\n".join(parts) + "}\n"


def main(arguments: list[str]) -> int:
    """Write the file, or with `--check` return 1 when it is not what would be written."""
    fresh = text(*cases())
    if arguments == ["--check"]:
        if PATH.is_file() and PATH.read_text() == fresh:
            return 0
        print(f"{PATH.relative_to(ROOT)} is stale: python -m tests.vectors.generate")
        return 1
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
