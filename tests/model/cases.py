"""Random markets, positions and changes, most of them near an edge where a rule decides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import reject

from margin_core import ContractKind, MarketSpec, Tier
from margin_core.limits import (
    FUNDING_INDEX_E6_MAX,
    ORDER_LOTS_MAX,
    POSITION_LOTS_MAX,
    QUOTE_MAX,
    TIERS_MAX,
    TIME_S_MAX,
)
from tests.model.margin import Bucket, Market

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

PPM = 1_000_000
Outcome = TypeVar("Outcome")


def any_spec(rng: Random) -> MarketSpec:
    """Return a market: of everyday size, or with notional up to 2^60."""
    unit = rng.choice((1, 1, 10, 100, 2 ** rng.randint(0, 32)))
    price_max = rng.choice((200, 10_000, 2 ** rng.randint(8, 26), 2**27 - 1))
    lots_max = min(POSITION_LOTS_MAX, max(1, QUOTE_MAX // unit // price_max))
    if rng.random() < 0.7:
        lots_max = min(lots_max, rng.choice((10, 1_000, 10**6)))
    if price_max * lots_max * unit > QUOTE_MAX:
        unit = 1
    fee_taker = rng.choice((0, 500, rng.randint(0, 100_000)))
    return MarketSpec(
        market_id=1,
        quote_per_tick_lot=unit,
        price_ticks_max=price_max,
        position_lots_max=lots_max,
        fee_maker_ppm=rng.choice((0, 200, rng.randint(0, 100_000))),
        fee_taker_ppm=fee_taker,
        fee_liquidation_ppm=rng.choice((0, 5_000, rng.randint(0, 100_000))),
        liquidation_buffer_ppm=rng.choice((0, 2_500, rng.randint(0, 100_000))),
        mark_band_ppm=rng.choice((50_000, 1, rng.randint(1, 500_000))),
        funding_cap_ppm=min(7_500, 2**50 // (price_max * unit)),
        tiers=any_tiers(rng, PPM - 1 - fee_taker, price_max * lots_max * unit),
    )


def any_contract(rng: Random, kind: ContractKind) -> MarketSpec:
    """Return a market of a kind, of everyday size or with a worth up to 2^60."""
    spec = any_spec(rng)
    changes: dict[str, object] = {"kind": kind}
    if kind == ContractKind.INVERSE_PERPETUAL:
        unit = rng.choice((1, 10**4, 10**9, 2 ** rng.randint(0, 32)))
        lots_max = min(POSITION_LOTS_MAX, QUOTE_MAX // unit)
        lots_max = rng.choice((lots_max, min(lots_max, 10**6), min(lots_max, 10)))
        changes |= {"quote_per_tick_lot": unit, "position_lots_max": lots_max}
        changes["funding_cap_ppm"] = min(7_500, 2**50 // unit)
        changes["tiers"] = any_tiers(
            rng, PPM - 1 - spec.fee_taker_ppm, lots_max * unit // rng.choice((1, 100)) + 1
        )
    elif kind != ContractKind.LINEAR_PERPETUAL:
        changes |= {"expiry_time_s": 2_000_000_000, "funding_cap_ppm": 0}
    if kind.is_option:
        shares = sorted(rng.choice((75_000, 100_000, 150_000, rng.randint(1, PPM))) for _ in "abc")
        changes |= {"tiers": (), "strike_ticks": rng.randint(1, spec.price_ticks_max)}
        changes["option_maintenance_ppm"] = shares[0]
        changes["option_initial_least_ppm"] = shares[1]
        changes["option_initial_ppm"] = shares[2]
    if kind == ContractKind.OPTION_PUT:
        changes["option_maintenance_of_mark_ppm"] = rng.choice((0, 75_000, rng.randint(0, PPM)))
        changes["option_put_initial_ppm"] = rng.choice((PPM, 1_050_000, rng.randint(PPM, 2 * PPM)))
    return replace(spec, **changes)  # type: ignore[arg-type]


def steep_contract(
    rng: Random, kind: ContractKind, lots_max: int = POSITION_LOTS_MAX
) -> MarketSpec:
    """Return a market with a low tier and a high one: closing pays in the high one alone."""
    low, high = sorted(rng.sample(range(1, 800), 2))
    spec = any_contract(rng, kind)
    spec = replace(spec, position_lots_max=min(lots_max, spec.position_lots_max))
    worth = spec.quote_per_tick_lot * spec.position_lots_max
    if kind != ContractKind.INVERSE_PERPETUAL:
        worth *= spec.price_ticks_max
    floors = sorted({0, rng.randint(0, worth // 2_000) * 1_000})
    tiers = tuple(
        Tier(
            notional_floor_quote=floor,
            margin_initial_ppm=rate * 1_000 + 1_000,
            margin_maintenance_ppm=rate * 1_000,
        )
        for floor, rate in zip(floors, (low, high), strict=False)
    )
    return replace(
        spec,
        fee_liquidation_ppm=rng.choice((5_000, rng.randint(0, 100_000))),
        liquidation_buffer_ppm=rng.choice((0, rng.randint(0, 2_500))),
        tiers=() if kind.is_option else tiers,
    )


def any_tiers(
    rng: Random, rate_max: int, notional_max: int, most: int = TIERS_MAX
) -> tuple[Tier, ...]:
    """Return 1 to `most` tiers; floors and rates in steps that leave every amount whole."""
    count = rng.choice((1, 1, 2, 3, most))
    step = 1 if notional_max > PPM * 8 else 1_000  # ppm; floors are multiples of 10^6 / step
    grain = PPM // step
    floors = {0} | {grain * rng.randint(1, max(8, notional_max // grain)) for _ in range(count - 1)}
    rate_max -= rate_max % step
    rates = range(step, rate_max, step)
    pairs = sorted(rng.choice((rng.choice(rates), rng.choice(rates[:200]))) for _ in floors)
    spread = step * rng.choice((1, 5, 50))
    return tuple(
        Tier(
            notional_floor_quote=floor,
            margin_initial_ppm=min(maintenance + spread, rate_max),
            margin_maintenance_ppm=maintenance,
        )
        for floor, maintenance in zip(sorted(floors), pairs, strict=True)
    )


def any_market(rng: Random, spec: MarketSpec) -> Market:
    """Return the market at a mark and a funding index."""
    top = spec.price_ticks_max
    mark = rng.choice((rng.randint(1, top), rng.randint(1, top), top // 2 or 1, 1, top))
    index = rng.choice((0, rng.randint(-(10**9), 10**9), rng.choice((-1, 1)) * 2**62))
    if not spec.kind.is_option:
        return Market(spec, index, mark)
    return Market(spec, index, mark, rng.choice((around(rng, mark, top), rng.randint(1, top))))


def around(rng: Random, price: int, top: int) -> int:
    """Return a price: close to another, or anywhere."""
    near = price + rng.randint(-(price // 8) - 1, price // 8 + 1)
    return max(1, min(top, rng.choice((price, near, near, near, rng.randint(1, top)))))


def any_lots(rng: Random, most: int) -> int:
    """Return 1 to `most` lots, often few, sometimes all."""
    return rng.choice((1, most, rng.randint(1, most), rng.randint(1, min(most, 40))))


def price_to_close(rng: Random, market: Market, p: Bucket) -> int:
    """Return a price for a liquidation: so near the bankruptcy price that the fee counts, or not.

    There the fee of many lots takes more equity than they free, and LIQ-2 admits few alone.
    """
    bankruptcy, top = market.bankruptcy_price(p), market.spec.price_ticks_max
    fee = 1 + bankruptcy * market.spec.fee_liquidation_ppm // PPM
    near = bankruptcy + (1 if p.lots > 0 else -1) * rng.randint(0, fee)
    return max(1, min(top, rng.choice((bankruptcy, near, around(rng, market.mark, top)))))


def lots_to_close(rng: Random, market: Market, p: Bucket, price: int) -> int:
    """Return lots from the whole range, often at an end of what LIQ-2 admits at a price."""
    most = min(abs(p.lots), ORDER_LOTS_MAX)
    edge = rng.choice(market.enough(market.settled(p), price)) + rng.randint(-2, 3)
    return rng.choice((max(1, min(most, edge)), any_lots(rng, most), rng.randint(1, most)))


def any_bucket(rng: Random, market: Market, sign: int = 0) -> Bucket:
    """Return a position whose equity is at, next to or away from a line that decides."""
    spec = market.spec
    lots = (sign or rng.choice((-1, 1))) * any_lots(rng, spec.position_lots_max)
    entry = around(rng, market.mark, spec.price_ticks_max)
    value = max(0, market.traded(lots, entry) - rng.choice((0, 0, 1, rng.randint(0, 1000))))
    p = Bucket(lots, min(value, QUOTE_MAX), 0, any_index(rng, market.index, lots))
    notional = market.worth(lots, market.mark)
    line = rng.choice(
        (0, market.maintenance(p), market.maintenance(p), market.initial(p), notional)
    )
    target = line + rng.choice((-1, 0, 1, rng.randint(-line - 9, line + 9), rng.randint(0, 99)))
    if rng.random() < 0.02:
        target = rng.choice((-1, 1)) * QUOTE_MAX
    p.margin = max(-QUOTE_MAX, min(QUOTE_MAX, target - market.equity(p)))
    return p


def weak_bucket(rng: Random, market: Market) -> Bucket:
    """Return a position that lacks little of its maintenance, in any tier."""
    most = market.spec.position_lots_max
    lots = rng.choice((-1, 1)) * rng.choice((most, rng.randint(1, most)))
    p = Bucket(lots, market.traded(lots, market.mark), 0, market.index)
    needs = market.maintenance(p)
    target = needs - rng.randint(1, 1 + needs // 100) - market.equity(p)
    p.margin = max(-QUOTE_MAX, min(QUOTE_MAX, target))
    return p


def any_index(rng: Random, index: int, lots: int) -> int:
    """Return the funding index of a position's last touch; what is owed stays below 2^60."""
    far = QUOTE_MAX * PPM // abs(lots)
    moved = rng.choice((0, 0, rng.randint(-(10**8), 10**8), rng.randint(-far, far)))
    moved = max(-far, min(far, moved))
    return max(-FUNDING_INDEX_E6_MAX, min(FUNDING_INDEX_E6_MAX, index - moved))


def any_fund(rng: Random, market: Market) -> Bucket:
    """Return the insurance fund's position: flat with collateral, or holding something."""
    if rng.random() < 0.4:
        return Bucket(0, 0, rng.choice((0, rng.randint(0, 10**9), 2**59)), market.index)
    fund = any_bucket(rng, market)
    fund.margin = min(QUOTE_MAX, fund.margin + rng.choice((0, 10**6, 2**58)))
    return fund


def order_of(rng: Random, market: Market, p: Bucket) -> dict[str, int]:
    """Return the arguments of a fill of a signed order."""
    lots = min(ORDER_LOTS_MAX, any_lots(rng, rng.choice((market.spec.position_lots_max, 40))))
    if p.lots and rng.random() < 0.3:
        lots = min(ORDER_LOTS_MAX, max(1, abs(p.lots) + rng.randint(-1, 1)))
    order_lots = min(ORDER_LOTS_MAX, lots + rng.choice((0, 0, rng.randint(0, 1000))))
    price = around(rng, market.mark, market.spec.price_ticks_max)
    tiers = market.spec.tiers
    need = market.share(order_lots, price, tiers[0].margin_initial_ppm if tiers else PPM)
    whole = market.traded(order_lots, price) if market.inverse else order_lots * price
    margin = rng.choice((0, need, need * 2, need + rng.randint(0, 9), whole))
    margin = min(margin, QUOTE_MAX)
    return {
        "sign": rng.choice((-1, 1)),
        "lots": lots,
        "price": price,
        "rate": rng.choice((0, market.spec.fee_maker_ppm, market.spec.fee_taker_ppm)),
        "margin": margin,
        "order_lots": order_lots,
        "filled": rng.randint(0, order_lots - lots),
        "free": rng.choice((0, margin, margin // 2, QUOTE_MAX)),
    }


def within(change: Callable[..., Outcome], *state: Any, **more: Any) -> Outcome:
    """Return a change's outcome; an example whose outcome leaves the bounds is left out."""
    try:
        return change(*state, **more)
    except OverflowError:
        return reject()


def corner_contract(rng: Random, kind: ContractKind) -> MarketSpec:
    """Return a market of a kind whose every parameter is at one of its bounds."""
    price_max = rng.choice((1, 2, 2**27 - 1))
    unit = rng.choice((1, 2**32))
    worth = unit if kind == ContractKind.INVERSE_PERPETUAL else unit * price_max
    fee_taker = rng.choice((0, 100_000))
    top = PPM - 1 - fee_taker
    single = rng.choice(((1, 2), (top - 1, top), (1, top)))
    lots_max = min(POSITION_LOTS_MAX, QUOTE_MAX // worth)
    tiers = any_tiers(rng, top, lots_max * worth)
    if rng.random() < 0.5:
        tiers = (replace(tiers[0], margin_initial_ppm=single[1], margin_maintenance_ppm=single[0]),)
    changes: dict[str, object] = {"funding_cap_ppm": min(100_000, 2**50 // worth)}
    if kind.expires:
        changes = {"expiry_time_s": TIME_S_MAX, "funding_cap_ppm": 0}
    if kind.is_option:
        share = rng.choice((1, PPM))
        changes |= {
            "strike_ticks": rng.choice((1, price_max)),
            "option_maintenance_ppm": share,
            "option_initial_least_ppm": rng.choice((share, PPM)),
            "option_initial_ppm": PPM,
        }
        tiers = ()
    if kind == ContractKind.OPTION_PUT:
        changes["option_maintenance_of_mark_ppm"] = rng.choice((0, PPM))
        changes["option_put_initial_ppm"] = rng.choice((PPM, 2 * PPM))
    return MarketSpec(
        kind=kind,
        market_id=65_535,
        quote_per_tick_lot=unit,
        price_ticks_max=price_max,
        position_lots_max=lots_max,
        fee_maker_ppm=rng.choice((0, 100_000)),
        fee_taker_ppm=fee_taker,
        fee_liquidation_ppm=rng.choice((0, 100_000)),
        liquidation_buffer_ppm=rng.choice((0, 100_000)),
        mark_band_ppm=rng.choice((1, 500_000)),
        tiers=tiers,
        **changes,  # type: ignore[arg-type]
    )


def corner_market(rng: Random, spec: MarketSpec) -> Market:
    """Return the market at prices and a funding index that are bounds."""
    ends = (1, spec.price_ticks_max)
    index = rng.choice((0, FUNDING_INDEX_E6_MAX, -FUNDING_INDEX_E6_MAX))
    return Market(spec, index, rng.choice(ends), rng.choice(ends))


def corner_bucket(rng: Random, market: Market) -> Bucket:
    """Return a position whose lots, value, collateral and funding owed are bounds."""
    lots = rng.choice((-1, 1)) * rng.choice((1, market.spec.position_lots_max))
    far = QUOTE_MAX * PPM // abs(lots)
    index = market.index - rng.choice((0, far, -far))
    index = max(-FUNDING_INDEX_E6_MAX, min(FUNDING_INDEX_E6_MAX, index))
    return Bucket(
        lots, rng.choice((0, 1, QUOTE_MAX)), rng.choice((-QUOTE_MAX, 0, QUOTE_MAX)), index
    )
