"""Maps the conventions of venues onto the kernel: one adapter per (kind, formula)."""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from typing import TYPE_CHECKING, Any

import margin_core as mc
from margin_core.limits import PRICE_TICKS_MAX, TIERS_MAX
from margin_core.market_spec import tier_amounts_quote

if TYPE_CHECKING:
    from collections.abc import Callable

Inputs = dict[str, Any]
Answer = tuple[Any, Fraction]  # the result, and the size of one unit of the market's grid
PPM = 1_000_000
LOTS = 2**32  # lots of a scaled position: fine enough that rounding to lots does not show


class InexpressibleError(Exception):
    """The kernel has no such contract or parameter; the message says which."""


def exact(value: float) -> Fraction:
    """Return the decimal number that the file shows."""
    return Fraction(str(value))


def ppm(rate: Fraction | float) -> int:
    parts = (rate if isinstance(rate, Fraction) else exact(rate)) * PPM
    if parts.denominator != 1:
        raise InexpressibleError("rates are whole parts per million")
    return int(parts)


def tier_of(floor: int, initial: int, maintenance: int) -> mc.Tier:
    return mc.Tier(
        notional_floor_quote=floor,
        margin_initial_ppm=initial,
        margin_maintenance_ppm=maintenance,
    )


def spec_of(
    *, maintenance: int = 1, initial: int | None = None, amount: int = 0, taker: int = 0,
    **more: Any,
) -> mc.MarketSpec:  # fmt: skip
    """Return a market; an amount of the tier comes from a tier below with a lower rate."""
    rate = maintenance + 1 if initial is None else initial
    if not 0 < maintenance < rate < PPM - taker:
        raise InexpressibleError("0 < maintenance < initial < 1 (MKT-1)")
    tiers = [tier_of(0, rate, maintenance)]
    if amount:
        step = max(2**a * 5**b for a in range(20) for b in range(9) if 2**a * 5**b < maintenance)
        grain = PPM // gcd(PPM, step)
        floor = round(Fraction(amount * PPM, step * grain)) * grain
        tiers = [tier_of(0, rate - step, maintenance - step), tier_of(floor, rate, maintenance)]
    size: dict[str, Any] = {
        "quote_per_tick_lot": 1,
        "price_ticks_max": PRICE_TICKS_MAX,
        "position_lots_max": 2**33,
    }
    return mc.MarketSpec(
        market_id=1, fee_maker_ppm=0, fee_taker_ppm=taker, tiers=tuple(tiers), **(size | more)
    )


class Scaled:
    """A linear position of a venue on a grid of ticks and lots as fine as the kernel has."""

    def __init__(self, inputs: Inputs) -> None:
        if inputs.get("contract", "linear") != "linear":
            raise InexpressibleError("inverse contract: not in the kernel yet")
        self.entry = exact(inputs["entry"])
        self.side = inputs["side"]
        self.tick = Fraction(1)
        while self.entry / self.tick * 30 < PRICE_TICKS_MAX:
            self.tick /= 10
        while self.entry / self.tick * 3 > PRICE_TICKS_MAX:
            self.tick *= 10
        qty = exact(inputs["qty"])
        self.lot = qty / LOTS
        self.quote = self.tick * self.lot
        self.value = qty * self.entry
        if "margin" in inputs:
            self.margin = exact(inputs["margin"])
        else:
            self.margin = self.value / exact(inputs["margin_from_leverage"])

    def state(self, margin: Fraction | None = None) -> mc.MarginState:
        held = self.margin if margin is None else margin
        return mc.MarginState(
            self.side * LOTS, round(self.value / self.quote), round(held / self.quote)
        )


def liq(inputs: Inputs) -> Answer:
    """MARG-5; maintenance on entry value is collateral set aside: then it is MARG-6."""
    p = Scaled(inputs)
    buffer = exact(inputs.get("buffer", 0))  # moves the price towards the entry
    if "mm_rate_entry" in inputs:
        aside = p.value * exact(inputs["mm_rate_entry"])
        ticks = mc.bankruptcy_price_ticks(spec_of(), p.state(p.margin - aside), funding_index_e6=0)
        assert ticks is not None
        price = ticks * p.tick
    else:
        spec = spec_of(
            maintenance=ppm(inputs["mm_rate_mark"]),
            amount=round(exact(inputs.get("maint_amount", 0)) / p.quote),
            taker=ppm(inputs.get("close_fee_rate_mark", 0)),
        )
        price = liquidation_price(spec, p, p.margin)
        if price <= 0 and buffer:
            # The venue's price may be below 0 before its buffer. It is linear in the margin.
            price = 2 * liquidation_price(spec, p, p.margin / 2)
            price -= liquidation_price(spec, p, Fraction(0))
    return price + buffer * (p.entry - price), p.tick


def liquidation_price(spec: mc.MarketSpec, p: Scaled, margin: Fraction) -> Fraction:
    ticks = mc.liquidation_price_ticks(spec, p.state(margin), funding_index_e6=0)
    if ticks is None and p.side < 0:
        raise InexpressibleError("no liquidation price inside the market's prices")
    return (ticks or 0) * p.tick


def liq_cross(inputs: Inputs) -> Answer:
    """MARG-5; what other positions have over their maintenance is collateral."""
    margin = exact(inputs["margin"])
    for other in inputs["others"]:
        p = Scaled(other | {"margin": 0})
        spec = spec_of(
            maintenance=ppm(other["mm_rate"]),
            amount=round(exact(other["maint_amount"]) / p.quote),
        )
        mark = round(exact(other["mark"]) / p.tick)
        equity = mc.equity_quote(spec, p.state(), funding_index_e6=0, mark_price_ticks=mark)
        needs = mc.maintenance_requirement_quote(spec, position_lots=LOTS, mark_price_ticks=mark)
        margin += (equity - needs) * p.quote
    return liq(inputs | {"margin": margin.limit_denominator(10**9)})


def bankruptcy(inputs: Inputs) -> Answer:
    """MARG-6."""
    p = Scaled(inputs)
    ticks = mc.bankruptcy_price_ticks(spec_of(), p.state(), funding_index_e6=0)
    assert ticks is not None
    return ticks * p.tick, p.tick


def dydx_bankruptcy(inputs: Inputs) -> Answer:
    """FILL-4: the closed share of the entry value is what closing must bring."""
    if len(inputs["positions"]) > 1:
        raise InexpressibleError("several positions share the collateral: ours is isolated")
    qty = exact(inputs["positions"][0]["qty"])
    owed = exact(inputs["quote_balance_usd"]) * PPM * (-1 if qty > 0 else 1)
    if owed < 0:
        raise InexpressibleError("negative bankruptcy price: entry values are never negative")
    lots, closed = (int(abs(n) * 10**8) for n in (qty, exact(inputs["close"]["qty"])))
    state = mc.MarginState(lots if qty > 0 else -lots, int(owed), 2**50)
    after = mc.apply_fill(
        spec_of(position_lots_max=2**32, price_ticks_max=2**20),
        state,
        funding_index_e6=0,
        mark_price_ticks=1,
        side=1 if qty > 0 else 0,
        qty_lots=closed,
        price_ticks=1,
        fee_ppm=0,
    )
    assert after.verdict == mc.Verdict.OK
    share = state.entry_value_quote - after.state.entry_value_quote
    return share if qty > 0 else -share, Fraction(0)


def funding_cash(inputs: Inputs) -> Answer:
    """FUND-1, MARG-1: the index moves by rate times price; what is owed is not received."""
    qty = exact(inputs["qty"])
    per_unit = Fraction(0)
    for mark, rate in zip(inputs["marks"], inputs["rates"], strict=True):
        per_unit += exact(mark) * exact(rate) * exact(inputs["time_fraction"])
    quote = Fraction(1, 10 ** (15 - len(str(int(abs(per_unit * qty))))))
    lots = round(qty * 10**6)
    index = per_unit / 10**6 / quote * PPM  # of a lot of 10^-6
    if index.denominator != 1:
        raise InexpressibleError("the funding index has six decimals of a quote unit")
    state = mc.MarginState(inputs["side"] * lots, 0, 0)
    owed = mc.funding_owed_quote(spec_of(), state, funding_index_e6=int(index))
    return -owed * quote, quote


def dydx_settle(inputs: Inputs) -> Answer:
    """MARG-1."""
    moved = (inputs["funding_index"] - inputs["last_index"]) * PPM
    state = mc.MarginState(inputs["quantums"], 0, 0)
    return -mc.funding_owed_quote(spec_of(), state, funding_index_e6=moved), Fraction(0)


def requirement(notional: Fraction, rate: int, *, initial: bool, amount: int = 0) -> int:
    """MARG-3 of a notional in whole quote, as lots at one tick."""
    if notional.denominator != 1:
        raise InexpressibleError("a notional is whole quote units")
    at = {"position_lots": int(notional), "mark_price_ticks": 1}
    bounds = {"price_ticks_max": 2, "position_lots_max": 2**40}
    if initial:
        spec = spec_of(maintenance=max(1, rate - 1), initial=rate, **bounds)
        return mc.initial_requirement_quote(spec, **at)
    spec = spec_of(maintenance=rate, amount=amount, **bounds)
    return mc.maintenance_requirement_quote(spec, **at)


def scale_of(notional: Fraction) -> int:
    """Return quote units of one: 10^6, or fewer for a notional that would not fit."""
    scales = (1_000_000, 100_000, 10_000, 1_000, 100, 10)
    return next((scale for scale in scales if notional * scale <= 2**40), 1)


def im_linear(inputs: Inputs) -> Answer:
    """MARG-3."""
    notional = exact(inputs["qty"]) * exact(inputs["price"])
    scale = scale_of(notional)
    needs = requirement(notional * scale, ppm(1 / exact(inputs["leverage"])), initial=True)
    return Fraction(needs, scale), Fraction(0)


def iso_factor(inputs: Inputs) -> Answer:
    """MARG-3: a margin factor is an initial rate."""
    notional = exact(inputs["qty"]) * exact(inputs["price"])
    scale = scale_of(notional)
    needs = requirement(notional * scale, ppm(inputs["factor"]), initial=True)
    return Fraction(needs, scale), Fraction(0)


def mm_linear(inputs: Inputs) -> Answer:
    """MARG-3."""
    notional = exact(inputs["qty"]) * exact(inputs["price"])
    scale = scale_of(notional)
    amount = round(exact(inputs["maint_amount"]) * scale)
    rate = ppm(inputs["mm_rate"])
    needs = requirement(notional * scale, rate, initial=False, amount=amount)
    return Fraction(needs, scale), Fraction(0)


def dydx_im(inputs: Inputs) -> Answer:
    """MARG-3; the rate grows with open interest between two bounds, rounded down to ppm."""
    low, high, rate = inputs["oi_lower"], inputs["oi_upper"], inputs["im_ppm"]
    if high > low and inputs["oi"] > low:
        rate += (PPM - rate) * min(inputs["oi"] - low, high - low) // (high - low)
    return requirement(Fraction(inputs["quote_quantums"]), rate, initial=True), Fraction(0)


def dydx_req(inputs: Inputs) -> Answer:
    """MARG-3."""
    power = Fraction(10) ** (inputs["exponent"] + inputs["base_resolution"] + 6)
    notional = inputs["quantums"] * inputs["price"] * power
    rates = inputs["im_ppm"], inputs["im_ppm"] * inputs["fraction_ppm"] // PPM
    im = requirement(notional, rates[0], initial=True)
    return {"im": im, "mm": requirement(notional, rates[1], initial=False)}, Fraction(0)


def derive_perp(inputs: Inputs) -> Answer:
    """MARG-2, MARG-3: margin is equity less requirement, profit counted as collateral."""
    notional = exact(inputs["qty"]) * exact(inputs["perp_price"]) * PPM
    state = mc.MarginState(int(notional), int(notional), round(exact(inputs["mtm"]) * PPM))
    spec = spec_of(price_ticks_max=2, position_lots_max=2**40)
    equity = mc.equity_quote(spec, state, funding_index_e6=0, mark_price_ticks=1)
    im = equity - requirement(notional, ppm(inputs["im_req"]), initial=True)
    mm = equity - requirement(notional, ppm(inputs["mm_req"]), initial=False)
    return {"im": Fraction(im, PPM), "mm": Fraction(mm, PPM)}, Fraction(0)


def gmx1_coll(inputs: Inputs) -> Answer:
    """FILL-2: what is left of the margin after the opening fee."""
    size, deposit = (int(exact(inputs[name]) * PPM) for name in ("size", "deposit"))
    after = mc.apply_fill(
        spec_of(price_ticks_max=2, position_lots_max=2**40),
        mc.MarginState(0, 0, 0),
        funding_index_e6=0,
        mark_price_ticks=1,
        side=0,
        qty_lots=size,
        price_ticks=1,
        fee_ppm=ppm(inputs["margin_fee"]),
        order_margin_quote=deposit,
        free_quote=deposit,
    )
    return Fraction(after.state.collateral_quote, PPM), Fraction(0)


def order_cost(inputs: Inputs) -> Answer:
    """MARG-3, MARG-6, FILL-1: margin, fee to open, fee to close at the bankruptcy price."""
    if inputs["contract"] != "linear":
        raise InexpressibleError("inverse contract: not in the kernel yet")
    qty, price = exact(inputs["qty"]), exact(inputs["price"])
    margin, _ = im_linear(inputs)
    p = Scaled(inputs | {"entry": inputs["price"], "margin": float(margin)})
    spec = spec_of(taker=ppm(inputs["fee_rate"]))
    state = p.state()
    end = mc.bankruptcy_price_ticks(spec, state, funding_index_e6=0)
    assert end is not None
    opened, closed = (
        mc.apply_fill(
            spec,
            mc.MarginState(0, 0, 0) if side == p.side else state,
            funding_index_e6=0,
            mark_price_ticks=ticks,
            side=0 if side > 0 else 1,
            qty_lots=LOTS - 2,
            price_ticks=ticks,
            fee_ppm=ppm(inputs["fee_rate"]),
        ).fee_quote
        * p.quote
        for side, ticks in ((p.side, round(price / p.tick)), (-p.side, end))
    )
    total = margin + opened + closed
    answer = {"init_margin": margin, "open_fee": opened, "close_fee": closed, "total": total}
    return answer, qty * p.tick


def amounts_of(floors: list[Fraction], rates: list[int]) -> list[Fraction]:
    """MKT-2 in millionths; tables of more than sixteen tiers in windows that share a tier."""
    found = [Fraction(0)]
    while len(found) < len(floors):
        begin = len(found) - 1
        window = range(begin, min(begin + TIERS_MAX, len(floors)))
        tiers = tuple(
            tier_of(int(floors[k] * PPM) if k > begin else 0, rates[k] + 1, rates[k])
            for k in window
        )
        spec = mc.MarketSpec(
            market_id=1,
            quote_per_tick_lot=1,
            price_ticks_max=1,
            position_lots_max=1,
            fee_maker_ppm=0,
            fee_taker_ppm=0,
            tiers=tiers,
        )
        base = found[-1]
        found += [base + Fraction(amount, PPM) for _, amount in tier_amounts_quote(spec)[1:]]
    return found


def tier_cum(inputs: Inputs) -> Answer:
    """MKT-2."""
    found = amounts_of([exact(f) for f in inputs["floors"]], [ppm(r) for r in inputs["rates"]])
    return found, Fraction(0)


def tier_step(inputs: Inputs) -> Answer:
    """MKT-2: one link of the chain."""
    floors, rates = [0, inputs["floor"]], [inputs["prev_rate"], inputs["rate"]]
    added, _ = tier_cum({"floors": floors, "rates": rates})
    return added[1] + exact(inputs["prev_amount"]), Fraction(0)


def tier_lookup(inputs: Inputs) -> Answer:
    """MARG-3: rate and amount of the tier, from two requirements within it."""
    floors, rates = inputs["floors"], [ppm(rate) for rate in inputs["rates"]]
    if len(floors) > TIERS_MAX:
        raise InexpressibleError("more than sixteen tiers")
    tiers = tuple(
        tier_of(floor * 10**4, rate + 1, rate) for floor, rate in zip(floors, rates, strict=True)
    )
    spec = mc.MarketSpec(
        market_id=1,
        quote_per_tick_lot=1,
        price_ticks_max=2,
        position_lots_max=2**40,
        fee_maker_ppm=0,
        fee_taker_ppm=0,
        tiers=tiers,
    )
    notional = inputs["notional"] * 10**4  # quote of 10^-4: the next tier is further than 10^6
    low, high = (
        mc.maintenance_requirement_quote(spec, position_lots=lots, mark_price_ticks=1)
        for lots in (notional, notional + PPM)
    )
    rate = Fraction(high - low, PPM)
    return {"rate": rate, "maint_amount": (notional * rate - low) / 10**4}, Fraction(0)


def dydx_state(inputs: Inputs) -> tuple[mc.MarginState, int]:
    """Return a position of one lot whose entry value is what the balance lacks, and its mark."""
    qty, balance = exact(inputs["qty"]), exact(inputs["quote_balance_usd"])
    mark = abs(qty) * exact(inputs["price"]) * 10**4
    value = max(Fraction(0), balance * PPM * (-1 if qty > 0 else 1))
    margin = balance * PPM + (value if qty > 0 else -value)
    return mc.MarginState(1 if qty > 0 else -1, int(value), int(margin)), int(mark)


def dydx_is_liq(inputs: Inputs) -> Answer:
    """MARG-4."""
    state, mark = dydx_state(inputs)
    spec = spec_of(maintenance=ppm(inputs["mm_frac"]), quote_per_tick_lot=100, position_lots_max=1)
    return mc.is_liquidatable(spec, state, funding_index_e6=0, mark_price_ticks=mark), Fraction(0)


def dydx_if_delta(inputs: Inputs) -> Answer:
    """LIQ-2: the liquidation fee ends at the equity; a fill beyond bankruptcy costs the fund."""
    state, mark = dydx_state(inputs)
    fee = ppm(inputs["max_liq_fee"])
    if fee > 100_000:
        raise InexpressibleError("liquidation fee above 10 %")
    spec = spec_of(
        maintenance=ppm(inputs["mm_frac"]),
        quote_per_tick_lot=100,
        position_lots_max=1,
        fee_liquidation_ppm=fee,
    )
    price = int(abs(exact(inputs["qty"])) * exact(inputs["fill_price"]) * 10**4)
    left = mc.equity_quote(spec, state, funding_index_e6=0, mark_price_ticks=price)
    after = mc.apply_liquidation_fill(
        spec, state, funding_index_e6=0, mark_price_ticks=mark, qty_lots=1, price_ticks=price
    )
    if left < 0:
        assert after.verdict == mc.Verdict.LIQUIDATION_PRICE
        return left, Fraction(0)
    assert after.verdict == mc.Verdict.OK
    return after.fee_quote, Fraction(0)


def if_delta_linear(inputs: Inputs) -> Answer:
    """MARG-2: the fund pays what equity lacks at the exit."""
    p = Scaled(inputs)
    ticks = round(exact(inputs["exit"]) / p.tick)
    equity = mc.equity_quote(spec_of(), p.state(), funding_index_e6=0, mark_price_ticks=ticks)
    return equity * p.quote, p.quote


def drift_full_liq(inputs: Inputs) -> Answer:
    """FILL-4: closing at the price less the liquidator's discount realises the loss."""
    if inputs["if_fee"] or inputs["quote"] > 0:
        raise InexpressibleError("the fund's fee is charged on the oracle value, ours on the fill")
    price = exact(inputs["price"]) * (1 - exact(inputs["liq_fee"])) * exact(inputs["base"]) * 10**4
    value = -int(exact(inputs["quote"]) * PPM)
    after = mc.apply_fill(
        spec_of(quote_per_tick_lot=100, position_lots_max=1),
        mc.MarginState(1, value, value),
        funding_index_e6=0,
        mark_price_ticks=int(price),
        side=1,
        qty_lots=1,
        price_ticks=int(price),
        fee_ppm=0,
    )
    loss = Fraction(after.pnl_quote, PPM)
    paid = -loss - Fraction(value, PPM)
    return {"user_quote": loss, "liquidator_quote": paid}, Fraction(0)


ADAPTERS: dict[tuple[str, str], Callable[[Inputs], Answer]] = {
    ("bankruptcy_price", "bankruptcy"): bankruptcy,
    ("bankruptcy_price", "dydx_bankruptcy"): dydx_bankruptcy,
    ("funding_payment", "dydx_settle"): dydx_settle,
    ("funding_payment", "funding_cash"): funding_cash,
    ("init_margin", "dydx_im"): dydx_im,
    ("init_margin", "gmx1_coll"): gmx1_coll,
    ("init_margin", "im_linear"): im_linear,
    ("insurance_fund", "dydx_if_delta"): dydx_if_delta,
    ("insurance_fund", "if_delta_linear"): if_delta_linear,
    ("is_liquidatable", "dydx_is_liq"): dydx_is_liq,
    ("iso_margin", "iso_factor"): iso_factor,
    ("liq_price", "liq"): liq,
    ("liq_price", "liq_cross"): liq_cross,
    ("liquidation_fill", "drift_full_liq"): drift_full_liq,
    ("maint_amount", "tier_cum"): tier_cum,
    ("maint_amount", "tier_step"): tier_step,
    ("maint_margin", "derive_perp"): derive_perp,
    ("maint_margin", "dydx_req"): dydx_req,
    ("maint_margin", "mm_linear"): mm_linear,
    ("order_cost", "order_cost"): order_cost,
    ("tier_lookup", "tier_lookup"): tier_lookup,
}
