"""Adapters of what other venues compute otherwise: kernel where it can, else their own rule."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import margin_core as mc
from margin_core.models import other_venues
from tests.unit.margin_core.venue_adapters import (
    LOTS,
    PPM,
    Answer,
    InexpressibleError,
    Inputs,
    Scaled,
    equity_at,
    exact,
    held_of,
    im_linear,
    ppm,
    requirement,
    scale_of,
    spec_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

WHOLE = Fraction(0)


def needs(notional: Fraction, rate: Fraction, *, taker: Fraction = WHOLE) -> Fraction:
    """MARG-3: a requirement in units of the quote."""
    scale = scale_of(notional)
    found = requirement(notional * scale, ppm(rate), initial=False, taker=ppm(taker))
    return Fraction(found, scale)


def grid_of(notional: Fraction) -> Fraction:
    """Return how far a requirement can be off: a unit for its notional, and one for itself."""
    return Fraction(4, scale_of(notional))


def position(side: int, qty: Fraction, entry: Fraction, margin: Fraction) -> Scaled:
    return Scaled({"side": side, "qty": qty, "entry": entry, "margin": margin})


def profit(side: int, qty: Fraction, entry: Fraction, price: Fraction) -> Fraction:
    """MARG-2 of a position without collateral."""
    return equity_at(position(side, qty, entry, WHOLE), price)  # type: ignore[arg-type]


def borrow_interest(inputs: Inputs) -> Answer:
    numbers = {name: exact(inputs[name]) for name in ("borrowed", "rate", "hours")}
    try:
        return other_venues.borrow_interest(scheme=inputs["scheme"], **numbers), WHOLE
    except ValueError as error:
        raise InexpressibleError(str(error)) from error


def dydx_fillable(inputs: Inputs) -> Answer:
    price = other_venues.dydx_fillable_price(
        exact(inputs["quote_balance_usd"]),
        held_of(inputs),
        inputs["index"],
        bankruptcy_adjustment=exact(inputs["bankruptcy_adjustment"]),
        spread_to_maintenance=exact(inputs["spread_to_mmr"]),
    )
    return price, WHOLE


def dydx_partial(inputs: Inputs) -> Answer:
    least, most = other_venues.dydx_liquidation_bounds(
        inputs["notional"], least=inputs["min_notional"], portion=exact(inputs["max_portion"])
    )
    return {"min": least, "max": most}, WHOLE


def dydx_funding_index(inputs: Inputs) -> Answer:
    step = other_venues.dydx_funding_index_step(
        price=inputs["price"],
        exponent=inputs["exponent"],
        base_resolution=inputs["base_resolution"],
        rate_8h_ppm=inputs["rate8h_ppm"],
        seconds=inputs["seconds"],
    )
    return step + inputs.get("last_index", 0), WHOLE


def drift_iso(inputs: Inputs) -> Answer:
    """MARG-2, MARG-3: the buffer is charged on notional and on a loss."""
    base, price = exact(inputs["base"]), exact(inputs["price"])
    entry = -exact(inputs["quote"]) / base
    side = 1 if base > 0 else -1
    gained = profit(side, abs(base), entry, price)
    buffer = exact(inputs["buffer"])
    collateral = exact(inputs["collateral"]) + gained + buffer * min(WHOLE, gained)
    rate = exact(inputs["rate"]) + buffer
    grid = 4 * position(side, abs(base), entry, WHOLE).grid(price)  # type: ignore[arg-type]
    notional = abs(base) * price
    return {"requirement": needs(notional, rate), "collateral": collateral}, grid + grid_of(
        notional
    )


def drift_liq_fee(inputs: Inputs) -> Answer:
    fee = other_venues.drift_liquidation_fee_ppm(
        base_ppm=inputs["base"], most_ppm=inputs["max"], slots=inputs["slots"]
    )
    return fee, WHOLE


def drift_if_fee(inputs: Inputs) -> Answer:
    names = ("shortage", "base", "margin_ratio", "oracle", "quote_oracle")
    fee = other_venues.drift_fund_fee_ppm(
        liquidation_fee_ppm=inputs["liq_fee"],
        most_ppm=inputs["max_if_fee"],
        **{name: inputs[name] for name in names},
    )
    return fee, WHOLE


def drift_base_to_cover(inputs: Inputs) -> Answer:
    names = ("shortage", "margin_ratio", "oracle", "quote_oracle")
    size = other_venues.drift_base_to_cover(
        liquidation_fee_ppm=inputs["liq_fee"],
        fund_fee_ppm=inputs["if_fee"],
        **{name: inputs[name] for name in names},
    )
    return size, WHOLE


def drift_iso_liq(inputs: Inputs) -> Answer:
    after = other_venues.drift_liquidation(
        maintenance=exact(inputs["mm"]),
        liquidation_fee=exact(inputs["liq_fee"]),
        fund_fee_most=exact(inputs["max_if_fee"]),
        **{n: exact(inputs[n]) for n in ("base", "quote", "collateral", "price", "buffer")},
    )
    left = after.base_after * exact(inputs["price"])
    equity = exact(inputs["collateral"]) + left + after.quote_after
    return {
        "base_after": after.base_after,
        "quote_after": after.quote_after,
        "if_fee": after.fund_fee,
        "liquidator_quote": after.liquidator_quote,
        "ratio_after": equity / abs(left) if left else WHOLE,
    }, WHOLE


def drift_full_liq(inputs: Inputs) -> Answer:
    base = exact(inputs["base"])
    after = other_venues.drift_close(
        base=base,
        quote=exact(inputs["quote"]),
        size=abs(base),
        price=exact(inputs["price"]),
        liquidation_fee=exact(inputs["liq_fee"]),
        fund_fee=exact(inputs["if_fee"]),
    )
    return {
        "user_quote": after.quote_after,
        "liquidator_quote": after.liquidator_quote,
        "if_fee": after.fund_fee,
    }, WHOLE


def vega_mm(inputs: Inputs) -> Answer:
    """MARG-3: slippage is part of the rate of what is held; orders need the risk factor alone."""
    mark, slip = exact(inputs["mark"]), exact(inputs["slippage"])
    sides, grids = [], []
    for held, orders, factor in (
        (max(0, inputs["open"]), abs(inputs["buys"]), exact(inputs["rf_long"])),
        (max(0, -inputs["open"]), abs(inputs["sells"]), exact(inputs["rf_short"])),
    ):
        of_held, of_orders = exact(held) * mark, exact(orders) * mark
        sides.append(needs(of_held, slip + factor) + needs(of_orders, factor))
        grids.append(grid_of(of_held) + grid_of(of_orders))
    return {"mm": max(sides)}, max(grids)


def vega_perp_mm(inputs: Inputs) -> Answer:
    """MARG-1, MARG-3: what the position will owe is part of what it needs."""
    size, mark = exact(inputs["open"]), exact(inputs["mark"])
    rate = exact(inputs["slippage"]) + exact(inputs["rf"])
    due = size * exact(inputs["funding"]) * exact(inputs["funding_factor"])
    state = mc.MarginState(1 if size > 0 else -1, 0, 0)
    index = abs(size) * exact(inputs["funding"]) * exact(inputs["funding_factor"]) * PPM * PPM
    owed = mc.funding_owed_quote(spec_of(), state, funding_index_e6=round(index))
    assert abs(Fraction(owed, PPM) - due) <= Fraction(1, PPM)
    due_rounded = max(WHOLE, Fraction(owed, PPM))
    notional = abs(size) * mark
    return needs(notional, rate) + due_rounded, Fraction(2, PPM) + grid_of(notional)


def vega_liq_at_mm(inputs: Inputs) -> Answer:
    """MARG-5: collateral that is just the requirement is liquidated at the mark."""
    qty = exact(inputs["position"]) / exact(inputs["position_factor"])
    side, size, mark = (1 if qty > 0 else -1), abs(qty), exact(inputs["mark"])
    rate = exact(inputs["rf_long" if side > 0 else "rf_short"]) + exact(inputs["slip_linear"])
    rate += exact(inputs["slip_quadratic"]) * size
    due = max(WHOLE, qty * exact(inputs["funding_per_unit"]))
    p = position(side, size, mark, WHOLE)
    spec = p.spec(maintenance=ppm(rate))
    state = p.state()
    at = {"position_lots": state.position_lots, "mark_price_ticks": p.ticks(inputs["mark"])}
    needed = mc.maintenance_requirement_quote(spec, **at)
    index = round(due / p.quote / LOTS * PPM) * side
    owed = mc.funding_owed_quote(spec, state, funding_index_e6=index)
    state = state._replace(collateral_quote=needed + owed)
    ticks = mc.liquidation_price_ticks(spec, state, funding_index_e6=index)
    assert ticks is not None
    return ticks * p.tick, 2 * p.tick


def gmx1_delta(inputs: Inputs) -> Answer:
    """MARG-2: a size in dollars is a quantity at the average price."""
    size, average = exact(inputs["size"]), exact(inputs["avg"])
    p = position(inputs["side"], size / average, average, WHOLE)
    return equity_at(p, inputs["price"]), 2 * p.grid(inputs["price"])


def gmx1_state(inputs: Inputs) -> Answer:
    """MARG-2 gives the profit; the thresholds are theirs."""
    gained, _ = gmx1_delta(inputs)
    size = exact(inputs["size"])
    state = other_venues.gmx_liquidation_state(
        size=size,
        collateral=exact(inputs["collateral"]),
        profit=gained,
        fee=size * exact(inputs["margin_fee"]),
        fixed_fee=exact(inputs["liq_fee"]),
        leverage_most=exact(inputs["max_leverage"]),
    )
    return state, WHOLE


def gmx_is_liq(inputs: Inputs) -> Answer:
    """MARG-2: collateral in the token itself is a long of its own; the rate is on entry value."""
    size, entry, price = (exact(inputs[name]) for name in ("size_usd", "entry", "price"))
    tokens, factor = exact(inputs["collateral_tokens"]), exact(inputs["min_collateral_factor"])
    if tokens < 0 or size < 0:
        raise InexpressibleError("no tokens are owed, and no size is below 0")
    own = position(inputs["side"], size / entry, entry, WHOLE)
    held = position(1, tokens, price, WHOLE)
    lots = held.state().position_lots
    at = {"position_lots": lots, "price_ticks": held.ticks(inputs["price"])}
    worth = mc.worth_quote(held.spec(), **at) * held.quote
    return worth + equity_at(own, inputs["price"]) < needs(size, factor), WHOLE


def snx_pnl(inputs: Inputs) -> Answer:
    """MARG-2: entered at the price that the own half of the skew gives."""
    qty, entry = exact(inputs["qty"]), exact(inputs["open_price"])
    skew = exact(inputs.get("skew", 0)) + qty / 2
    filled = entry * (1 + skew / exact(inputs["skew_scale"]))
    p = position(1 if qty > 0 else -1, abs(qty), filled, WHOLE)
    return equity_at(p, inputs["price"]), 2 * p.grid(inputs["price"])


def snx_margin(inputs: Inputs) -> Answer:
    """MARG-2: profits of positions that share collateral."""
    parts = [snx_pnl(p) for p in inputs["positions"]]
    total = exact(inputs["collateral"]) + sum(gained for gained, _ in parts)
    return total, sum((grid for _, grid in parts), WHOLE)


def kucoin_risk_rate(inputs: Inputs) -> Answer:
    """MARG-3: requirements with the closing fee, of positions and orders, on shared equity."""
    taker = exact(inputs["taker"])
    needed = sum(
        needs(exact(p["notional"]), exact(p["mm"]), taker=taker)
        for p in [*inputs["positions"], *inputs["orders"]]
    )
    fees = sum(exact(order["notional"]) * taker for order in inputs["orders"])
    left = exact(inputs["equity"]) - fees
    count = len(inputs["positions"]) + len(inputs["orders"])
    return needed / left, count * Fraction(4, 10) / abs(left)


def phemex_assigned(inputs: Inputs) -> Answer:
    """MARG-3, FILL-1: margin, and the fee to close what is not one's own."""
    value = exact(inputs["open_value"])
    if value < 0:
        raise InexpressibleError("a value is not below 0")
    margin, grid = im_linear({"qty": 1, "price": value, "leverage": inputs["leverage"]})
    lent = (value - margin) * PPM
    spec = spec_of(price_ticks_max=2, position_lots_max=2**40)
    fee = mc.fee_quote(
        spec, qty_lots=max(1, round(lent)), price_ticks=1, fee_ppm=ppm(inputs["fee"])
    )
    return margin + (Fraction(fee, PPM) if lent else 0), grid + Fraction(1, PPM)


def fully_collateralised(inputs: Inputs) -> Answer:
    """FILL-2, FILL-4, MARG-2: what is lost when the price ends at 0, or at its highest."""
    top = exact(inputs["max_price"])
    spec = spec_of(position_lots_max=2**30, price_ticks_max=2**27 - 1)
    state, rich = mc.MarginState(0, 0, 0), 2**58
    for qty, price in inputs["legs"]:
        ticks = round(exact(price) * 10**6 / top)
        after = mc.apply_fill(
            spec,
            state,
            funding_index_e6=0,
            mark_price_ticks=max(1, ticks),
            side=0 if qty > 0 else 1,
            qty_lots=round(abs(exact(qty)) * 1_000),
            price_ticks=ticks,
            fee_ppm=0,
            order_margin_quote=rich,
            free_quote=rich,
        )
        assert after.verdict == mc.Verdict.OK
        state = after.state
    bare = state._replace(collateral_quote=0)
    if bare.position_lots > 0:
        lost = bare.entry_value_quote
    else:
        lost = -mc.equity_quote(spec, bare, funding_index_e6=0, mark_price_ticks=10**6)
    return lost * top / 10**9, sum(abs(exact(qty)) for qty, _ in inputs["legs"]) * top / 10**6


def mm_flat_tier(inputs: Inputs) -> Answer:
    """MARG-3 at the rate of the tier that is found by a scan: such tiers are refused by MKT-2."""
    notional = exact(inputs["notional"])
    tiers = [(exact(low), exact(rate)) for low, rate in inputs["tiers"]]
    rate = other_venues.flat_tier_rate(tiers, notional)
    return needs(notional, rate, taker=exact(inputs.get("fee", 0))), grid_of(notional)


def adl_queue(inputs: Inputs) -> Answer:
    accounts = {number: (exact(qty), exact(score)) for number, qty, score in inputs["accounts"]}
    queue = other_venues.adl_queue(accounts, exact(inputs["liquidated_qty"]))
    return {
        "order": queue.order,
        "percentile": queue.percentile,
        "deleveraged": {str(number): qty for number, qty in queue.taken.items()},
    }, WHOLE


OTHER_ADAPTERS: dict[tuple[str, str], Callable[[Inputs], Answer]] = {
    ("adl", "adl_queue"): adl_queue,
    ("borrow_interest", "borrow_interest"): borrow_interest,
    ("fillable_price", "dydx_fillable"): dydx_fillable,
    ("funding_index", "dydx_funding_index"): dydx_funding_index,
    ("init_margin", "drift_iso"): drift_iso,
    ("init_margin", "fully_collateralised"): fully_collateralised,
    ("init_margin", "phemex_assigned"): phemex_assigned,
    ("insurance_fund", "drift_if_fee"): drift_if_fee,
    ("is_liquidatable", "gmx1_state"): gmx1_state,
    ("is_liquidatable", "gmx_is_liq"): gmx_is_liq,
    ("liq_price", "vega_liq_at_mm"): vega_liq_at_mm,
    ("liquidation_fee", "drift_liq_fee"): drift_liq_fee,
    ("liquidation_fill", "drift_full_liq"): drift_full_liq,
    ("maint_margin", "drift_iso"): drift_iso,
    ("maint_margin", "mm_flat_tier"): mm_flat_tier,
    ("maint_margin", "vega_mm"): vega_mm,
    ("maint_margin", "vega_perp_mm"): vega_perp_mm,
    ("margin_balance", "snx_margin"): snx_margin,
    ("margin_ratio", "kucoin_risk_rate"): kucoin_risk_rate,
    ("partial_liquidation", "drift_base_to_cover"): drift_base_to_cover,
    ("partial_liquidation", "drift_iso_liq"): drift_iso_liq,
    ("partial_liquidation", "dydx_partial"): dydx_partial,
    ("pnl", "gmx1_delta"): gmx1_delta,
    ("pnl", "snx_pnl"): snx_pnl,
}
