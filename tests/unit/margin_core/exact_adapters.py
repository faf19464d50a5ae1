"""Each formula of the file exactly, whatever the magnitudes: through the models beside the kernel.

What the kernel's grid can carry goes through the kernel as well, see `venue_adapters`; both must
agree within a unit of that grid. A published number is compared with the exact one.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from margin_core.models import concentration, other_venues
from margin_core.models.conventions import (
    Charges,
    Position,
    equity,
    funding_paid,
    liquidation_price,
    requirement,
    tier_amounts,
    tier_of,
    worth,
)
from margin_core.models.conventions import order_cost as cost_of_order
from tests.unit.margin_core.venue_adapters import (
    LIQ_INPUTS,
    PPM,
    InexpressibleError,
    Inputs,
    exact,
    held_of,
    listed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

WHOLE = Fraction(0)
CONTRACTS = {"linear": False, "inverse": True}


def of(inputs: Inputs, name: str, default: float = 0) -> Fraction:
    """Return a number that may be missing."""
    return exact(inputs.get(name, default))


def sign(value: Fraction) -> int:
    return -1 if value < 0 else 1


def above_floor(price: Fraction | None, p: Position) -> Any:
    """Return a price; one below 0 as published, or at the floor of prices."""
    if price is None or p.is_inverse or price >= 0:
        return price
    return WHOLE, price


def position_of(inputs: Inputs, *, price: str = "entry") -> Position:
    name = inputs.get("contract", "linear")
    if name not in CONTRACTS:
        raise InexpressibleError(f"no contract is called {name}")
    is_inverse, entry = CONTRACTS[name], exact(inputs[price])
    size = exact(inputs["usd" if is_inverse else "qty"])
    side = inputs["side"] if "side" in inputs else sign(size)
    if not size or entry <= 0:
        raise InexpressibleError("a position has a size and an entry price above 0")
    p = Position(side, abs(size), entry, WHOLE, is_inverse)
    if "margin" in inputs:
        margin = exact(inputs["margin"])
    else:
        other = "leverage" if "leverage" in inputs else "margin_from_leverage"
        margin = worth(p, entry) / exact(inputs[other])
    return p._replace(margin=margin + of(inputs, "extra_margin"))


def charges_of(p: Position, inputs: Inputs) -> Charges:
    on_mark = of(inputs, "mm_rate_mark")
    if not {"mm_rate_mark", "mm_rate_entry"} & inputs.keys() and "max_leverage" in inputs:
        on_mark = 1 / (2 * exact(inputs["max_leverage"]))
    on_mark += of(inputs, "close_fee_rate_mark")
    if on_mark == (-p.side if p.is_inverse else p.side):
        raise InexpressibleError("the requirement grows as fast as equity")
    return Charges(
        on_mark=on_mark,
        on_entry=of(inputs, "mm_rate_entry") + of(inputs, "close_fee_rate_entry"),
        amount=of(inputs, "maint_amount"),
        constant=of(inputs, "constant") + of(inputs, "funding_due"),
    )


def liq(inputs: Inputs) -> Any:
    if unknown := {name for name in inputs.keys() - LIQ_INPUTS - {"leverage"} if inputs[name]}:
        raise InexpressibleError(f"an input that nobody has looked at: {min(unknown)}")
    p = position_of(inputs)
    price = liquidation_price(p, charges_of(p, inputs))
    if price is None:
        return None
    return above_floor(price + of(inputs, "buffer") * (p.entry - price), p)


def liq_cross(inputs: Inputs) -> Any:
    spare = WHOLE
    for other in inputs["others"]:
        p = position_of(other | {"margin": 0})
        charges = Charges(of(other, "mm_rate"), amount=of(other, "maint_amount"))
        mark = exact(other["mark"])
        spare += equity(p, mark) - (worth(p, mark) * charges.on_mark - charges.amount)
    own = inputs | {}
    del own["others"]
    return liq(own | {"extra_margin": of(own, "extra_margin") + spare})


def bankruptcy(inputs: Inputs) -> Any:
    p = position_of(inputs)
    return above_floor(liquidation_price(p), p)


def bankruptcy_inverse_fee(inputs: Inputs) -> Any:
    p = position_of(inputs | {"contract": "inverse"})
    return liquidation_price(p, Charges(on_mark=exact(inputs["fee_rate"])))


def liq_inverse_cross(inputs: Inputs) -> Any:
    """Bybit, 2020: maintenance on entry, fee at the bankruptcy price; rounded up to the tick."""
    p = position_of(inputs | {"contract": "inverse"})
    fee = exact(inputs["fee_rate"])
    bankrupt = liquidation_price(p, Charges(on_mark=fee))
    if bankrupt is None:
        return None
    rate = exact(inputs["mm_rate_entry" if "mm_rate_entry" in inputs else "mm_rate"])
    price = liquidation_price(p, Charges(on_entry=rate, constant=fee * worth(p, bankrupt)))
    tick = of(inputs, "tick", 0.5)
    if price is None or not tick:
        return price
    return (ceil(price / tick) if p.side > 0 else floor(price / tick)) * tick


def inverse_value(inputs: Inputs) -> Fraction:
    return exact(inputs["usd"]) / above_zero(inputs, "price")


def above_zero(inputs: Inputs, name: str) -> Fraction:
    value = exact(inputs[name])
    if value <= 0:
        raise InexpressibleError(f"{name} = {value}: a price is above 0")
    return value


def pnl_inverse(inputs: Inputs) -> Fraction:
    p = position_of(inputs | {"contract": "inverse", "margin": 0})
    return equity(p, above_zero(inputs, "exit")) - of(inputs, "costs")


def funding_inverse(inputs: Inputs) -> Fraction:
    usd, part = exact(inputs["usd"]), of(inputs, "time_fraction", 1)
    side = inputs.get("side", sign(usd))
    value = abs(usd) / above_zero(inputs, "mark")
    return funding_paid([value], [exact(inputs["rate"])], side, part)


def funding_cash(inputs: Inputs) -> Fraction:
    qty, part = exact(inputs["qty"]), of(inputs, "time_fraction", 1)
    worths = [qty * exact(mark) for mark in listed(inputs["marks"])]
    rates = [exact(rate) for rate in listed(inputs["rates"])]
    if len(rates) != len(worths):
        raise InexpressibleError(f"{len(worths)} marks and {len(rates)} rates")
    return funding_paid(worths, rates, inputs.get("side", 1), part)


def dydx_bankruptcy(inputs: Inputs) -> int:
    balance, closed = exact(inputs["quote_balance_usd"]), exact(inputs["close"]["qty"])
    held = held_of(inputs)
    if len(held) == 1:  # bears all of it, whatever it needs
        held = [held[0]._replace(maintenance=Fraction(1))]
    value = other_venues.dydx_bankruptcy_value(balance, held, inputs["close"]["index"], closed)
    return ceil(value * PPM)


def dydx_settle(inputs: Inputs) -> int:
    moved: int = inputs["funding_index"] - inputs["last_index"]
    return -moved * int(inputs["quantums"])


def whole_ppm(inputs: Inputs, name: str) -> int:
    rate = inputs[name]
    if not isinstance(rate, int):
        raise InexpressibleError(f"{name} = {rate}: that venue's rates are whole ppm")
    return rate


def dydx_im(inputs: Inputs) -> int:
    rate = concentration.initial_ppm_by_open_interest(
        whole_ppm(inputs, "im_ppm"),
        open_interest=inputs["oi"],
        lower=inputs["oi_lower"],
        upper=inputs["oi_upper"],
    )
    return ceil(Fraction(abs(inputs["quote_quantums"]) * rate, PPM))


def dydx_req(inputs: Inputs) -> dict[str, int]:
    """The notional is cut to whole quantums; maintenance is a share of the rounded initial."""
    power = Fraction(10) ** (inputs["exponent"] + inputs["base_resolution"] + 6)
    notional = floor(abs(inputs["quantums"] * inputs["price"]) * power)
    initial = ceil(Fraction(notional * whole_ppm(inputs, "im_ppm"), PPM))
    return {"im": initial, "mm": ceil(Fraction(initial * whole_ppm(inputs, "fraction_ppm"), PPM))}


def dydx_equity(inputs: Inputs, price: str) -> Fraction:
    return exact(inputs["quote_balance_usd"]) + exact(inputs["qty"]) * exact(inputs[price])


def dydx_is_liq(inputs: Inputs) -> bool:
    needs = abs(exact(inputs["qty"]) * exact(inputs["price"])) * exact(inputs["mm_frac"])
    return dydx_equity(inputs, "price") < needs


def dydx_if_delta(inputs: Inputs) -> int:
    """The fee ends at what is left above bankruptcy; what is lacking the fund pays."""
    left = dydx_equity(inputs, "fill_price") * PPM
    worth_filled = abs(exact(inputs["qty"]) * exact(inputs["fill_price"])) * PPM
    return floor(min(worth_filled * exact(inputs["max_liq_fee"]), left))


def if_delta_linear(inputs: Inputs) -> Fraction:
    return equity(position_of(inputs), exact(inputs["exit"]))


def gmx1_coll(inputs: Inputs) -> Fraction:
    return exact(inputs["deposit"]) - exact(inputs["size"]) * exact(inputs["margin_fee"])


def notional_of(inputs: Inputs) -> Fraction:
    return abs(exact(inputs["qty"]) * exact(inputs["price"]))


def im_linear(inputs: Inputs) -> Fraction:
    return notional_of(inputs) / exact(inputs["leverage"])


def iso_factor(inputs: Inputs) -> Fraction:
    return notional_of(inputs) * exact(inputs["factor"])


def mm_linear(inputs: Inputs) -> Any:
    """A tier's amount larger than its rate's share belongs to another tier: published raw or 0."""
    needs = notional_of(inputs) * exact(inputs["mm_rate"]) - of(inputs, "maint_amount")
    return needs if needs >= 0 else (WHOLE, needs)


def derive_perp(inputs: Inputs) -> dict[str, Fraction]:
    notional = abs(exact(inputs["qty"])) * exact(inputs["perp_price"])
    profit = exact(inputs["mtm"])
    return {
        name: profit - notional * exact(inputs[f"{name}_req"])
        for name in ("im", "mm") if f"{name}_req" in inputs
    }  # fmt: skip


def order_cost(inputs: Inputs) -> dict[str, Fraction]:
    p = position_of(inputs | {"margin": 0}, price="price")
    found = cost_of_order(
        worth(p, p.entry), p.side, exact(inputs["leverage"]), of(inputs, "fee_rate"),
        is_inverse=p.is_inverse,
    )  # fmt: skip
    return dict(zip(("init_margin", "open_fee", "close_fee", "total"), found, strict=True))


def tiers_of(inputs: Inputs) -> tuple[list[Fraction], list[Fraction], list[Fraction]]:
    floors, rates = ([exact(n) for n in inputs[name]] for name in ("floors", "rates"))
    if floors[0]:
        raise InexpressibleError("the first tier begins at 0 (MKT-1)")
    return floors, rates, tier_amounts(floors, rates)


def tier_cum(inputs: Inputs) -> list[Fraction]:
    return tiers_of(inputs)[2]


def tier_step(inputs: Inputs) -> Fraction:
    rates = [exact(inputs["prev_rate"]), exact(inputs["rate"])]
    at = exact(inputs["floor"])
    added = tier_amounts([WHOLE, at], rates)[1] if at else WHOLE
    return exact(inputs["prev_amount"]) + added


def tier_lookup(inputs: Inputs) -> dict[str, Fraction]:
    floors, rates, amounts = tiers_of(inputs)
    k = tier_of(floors, abs(exact(inputs["notional"])))
    return {"rate": rates[k], "maint_amount": amounts[k]}


def drift_iso(inputs: Inputs) -> dict[str, Fraction]:
    base, price, buffer = (exact(inputs[name]) for name in ("base", "price", "buffer"))
    gained = base * price + exact(inputs["quote"])
    return {
        "requirement": abs(base) * price * (exact(inputs["rate"]) + buffer),
        "collateral": exact(inputs["collateral"]) + gained + buffer * min(WHOLE, gained),
    }


def vega_mm(inputs: Inputs) -> dict[str, Fraction]:
    mark, slip, held = above_zero(inputs, "mark"), exact(inputs["slippage"]), exact(inputs["open"])
    sides = []
    for own, orders, factor in (
        (max(WHOLE, held), of(inputs, "buys"), exact(inputs["rf_long"])),
        (max(WHOLE, -held), of(inputs, "sells"), exact(inputs["rf_short"])),
    ):
        sides.append(mark * (own * (slip + factor) + abs(orders) * factor))
    return {"mm": max(sides)}


def vega_perp_mm(inputs: Inputs) -> Fraction:
    size = exact(inputs["open"])
    due = size * exact(inputs["funding"]) * of(inputs, "funding_factor", 1)
    rate = exact(inputs["slippage"]) + exact(inputs["rf"])
    return abs(size) * above_zero(inputs, "mark") * rate + max(WHOLE, due)


def vega_liq_at_mm(inputs: Inputs) -> Any:
    qty = exact(inputs["position"]) / of(inputs, "position_factor", 1)
    mark, side, size = above_zero(inputs, "mark"), sign(qty), abs(qty)
    if not size:
        return mark
    rate = exact(inputs["rf_long" if side > 0 else "rf_short"]) + of(inputs, "slip_linear")
    rate += of(inputs, "slip_quadratic") * size
    due = max(WHOLE, qty * of(inputs, "funding_per_unit"))
    if rate == side:
        raise InexpressibleError("the requirement grows as fast as equity")
    charges = Charges(on_mark=rate, constant=due)
    p = Position(side, size, mark, WHOLE)
    p = p._replace(margin=requirement(p, mark, charges))
    return liquidation_price(p, charges)


def gmx1_delta(inputs: Inputs) -> Fraction:
    size, average = abs(exact(inputs["size"])), above_zero(inputs, "avg")
    if not size:
        return WHOLE
    return equity(Position(inputs["side"], size / average, average, WHOLE), exact(inputs["price"]))


def gmx1_state(inputs: Inputs) -> int:
    size = exact(inputs["size"])
    if not size:
        raise InexpressibleError("no position")
    return other_venues.gmx_liquidation_state(
        size=size,
        collateral=exact(inputs["collateral"]),
        profit=gmx1_delta(inputs),
        fee=size * exact(inputs["margin_fee"]),
        fixed_fee=exact(inputs["liq_fee"]),
        leverage_most=exact(inputs["max_leverage"]),
    )


def gmx_is_liq(inputs: Inputs) -> bool:
    size, entry, price = (exact(inputs[name]) for name in ("size_usd", "entry", "price"))
    held = exact(inputs["collateral_tokens"]) * price
    if size:
        held += equity(Position(inputs["side"], size / entry, entry, WHOLE), price)
    return held < size * exact(inputs["min_collateral_factor"])


def snx_pnl(inputs: Inputs) -> Fraction:
    qty, entry = exact(inputs["qty"]), exact(inputs["open_price"])
    skew = of(inputs, "skew") + qty / 2
    filled = entry * (1 + skew / exact(inputs["skew_scale"]))
    return qty * (exact(inputs["price"]) - filled)


def snx_margin(inputs: Inputs) -> Fraction:
    return exact(inputs["collateral"]) + sum(map(snx_pnl, inputs["positions"]), WHOLE)


def kucoin_risk_rate(inputs: Inputs) -> Fraction:
    taker = of(inputs, "taker")
    orders = inputs.get("orders", [])
    needed = sum(
        exact(p["notional"]) * (exact(p["mm"]) + taker) for p in [*inputs["positions"], *orders]
    )
    left = exact(inputs["equity"]) - sum(exact(order["notional"]) * taker for order in orders)
    if not left:
        raise InexpressibleError("no equity to divide by")
    return needed / left


def okx_margin_ratio(inputs: Inputs) -> Fraction:
    """(margin + profit) / (notional · (maintenance + fee)), liquidated at 1 and below."""
    p = position_of(inputs)
    mark = exact(inputs["mark"])
    rate = exact(inputs["mm_rate" if "mm_rate" in inputs else "mm_rate_mark"])
    fee = of(inputs, "fee_rate") + of(inputs, "close_fee_rate_mark")
    needs = worth(p, mark) * (rate + fee)
    if not needs:
        raise InexpressibleError("nothing is required to divide by")
    return equity(p, mark) / needs


def phemex_assigned(inputs: Inputs) -> Fraction:
    value = exact(inputs["open_value"])
    margin = value / exact(inputs["leverage"])
    return margin + (value - margin) * of(inputs, "fee")


def fully_collateralised(inputs: Inputs) -> Fraction:
    """A long loses its entry value, a short what the highest price adds to it."""
    top, qty, value = exact(inputs["max_price"]), WHOLE, WHOLE
    for lots, price in inputs["legs"]:
        bought, at = exact(lots), exact(price)
        if qty * bought < 0:  # closes at the average, and opens what is beyond
            closed = min(abs(qty), abs(bought)) * sign(bought)
            value += value * closed / qty
            qty, bought = qty + closed, bought - closed
        qty, value = qty + bought, value + bought * at
    return value if qty >= 0 else abs(qty) * top + value


def mm_flat_tier(inputs: Inputs) -> Fraction:
    notional = abs(exact(inputs["notional"]))
    tiers = [(exact(low), exact(rate)) for low, rate in inputs["tiers"]]
    return notional * (other_venues.flat_tier_rate(tiers, notional) + of(inputs, "fee"))


EXACT: dict[str, Callable[[Inputs], Any]] = {
    each.__name__: each
    for each in (
        bankruptcy, bankruptcy_inverse_fee, derive_perp, drift_iso, dydx_bankruptcy, dydx_if_delta,
        dydx_im, dydx_is_liq, dydx_req, dydx_settle, fully_collateralised, funding_cash,
        funding_inverse, gmx1_coll, gmx1_delta, gmx1_state, gmx_is_liq, if_delta_linear, im_linear,
        inverse_value, iso_factor, kucoin_risk_rate, liq, liq_cross, liq_inverse_cross,
        mm_flat_tier, mm_linear, okx_margin_ratio, order_cost, phemex_assigned, pnl_inverse,
        snx_margin, snx_pnl, tier_cum, tier_lookup, tier_step, vega_liq_at_mm, vega_mm,
        vega_perp_mm,
    )
}  # fmt: skip
