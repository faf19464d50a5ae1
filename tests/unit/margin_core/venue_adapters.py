"""Maps the conventions of venues onto the kernel: one adapter per (kind, formula)."""

from __future__ import annotations

import re
from fractions import Fraction
from math import ceil, floor, gcd
from typing import TYPE_CHECKING, Any

import margin_core as mc
from margin_core.limits import FEE_PPM_MAX, POSITION_LOTS_MAX, PRICE_TICKS_MAX, TIERS_MAX
from margin_core.market_spec import tier_amounts_quote
from margin_core.models import other_venues

if TYPE_CHECKING:
    from collections.abc import Callable

Inputs = dict[str, Any]
Answer = tuple[Any, Fraction]  # the result, and the size of one unit of the market's grid
PPM = 1_000_000
INVERSE = {"contract": "inverse"}
INVERSE_UNIT: dict[str, Any] = {
    "kind": mc.ContractKind.INVERSE_PERPETUAL,
    "price_ticks_max": 2,
    "funding_cap_ppm": 0,
}
LOTS = 2**32  # lots of a scaled position: fine enough that rounding to lots does not show


class InexpressibleError(Exception):
    """The kernel has no such contract or parameter; the message says which."""


class Told(dict[str, Any]):
    """What a vector tells; of what it does not tell it says so, and it knows what was read."""

    def __init__(self, told: dict[str, Any], read: set[str] | None = None) -> None:
        """Share what was read with what it was made of."""
        super().__init__(told)
        self.read: set[str] = set() if read is None else read

    def __getitem__(self, name: str) -> Any:
        self.read.add(name)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.read.add(str(name))
        return super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self.read.add(name)
        return super().get(name, default)

    def unread(self) -> set[str]:
        return set(self) - self.read

    def __missing__(self, name: str) -> Any:
        raise InexpressibleError(f"the input {name} is not given")

    def __or__(self, other: dict[str, Any]) -> Told:  # type: ignore[override]
        return Told({**self, **other}, self.read)


NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


SIDES = {"long": 1, "buy": 1, "short": -1, "sell": -1}


def told(value: Any) -> Any:
    """Return numbers as ints where they are whole, whether spelt 1, 1.0, "1" or "1.0".

    What is null is not given; sides may have names.
    """
    if isinstance(value, dict):
        read = {name: told(each) for name, each in value.items() if each is not None}
        if isinstance(side := read.get("side"), str):
            read["side"] = SIDES.get(side.lower(), side)
        return Told(read)
    if isinstance(value, list):
        return [told(each) for each in value]
    if isinstance(value, str) and value.strip().lower().lstrip("+") in {"inf", "infinity"}:
        return float("inf")
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        number = Fraction(value.strip())
        return int(number) if number.denominator == 1 else float(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def listed(value: Any) -> list[Any]:
    """Return a list, where one number may stand for a list of one."""
    return value if isinstance(value, list) else [value]


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
    notional: int = 0, **more: Any,
) -> mc.MarketSpec:  # fmt: skip
    """Return a market; an amount of the tier comes from a tier below with a lower rate.

    The amount is right where that tier ends at the notional or below it.
    """
    rate = maintenance + 1 if initial is None else initial
    if not 0 < maintenance < rate < PPM - taker:
        raise InexpressibleError("0 < maintenance < initial < 1 (MKT-1)")
    tiers = [tier_of(0, rate, maintenance)]
    if amount:
        steps = [2**a * 5**b for a in range(20) for b in range(9) if 2**a * 5**b < maintenance]
        exactly = [n for n in steps if PPM % n == 0 and amount * PPM <= notional * n]
        step = max(exactly or steps, default=0)
        grain = PPM // gcd(PPM, step)
        floor = round(Fraction(amount * PPM, step * grain)) * grain if step else 0
        if notional and floor > notional:
            raise InexpressibleError("the amount is of a tier above the position")
        if amount < 0 or not floor or abs(Fraction(floor * step, PPM) - amount) > 2:
            raise InexpressibleError("no lower tier gives that amount")
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
    """A position of a venue on a grid of ticks and lots as fine as the kernel has.

    A linear one has 2^32 lots of a part of its quantity each; an inverse one 2^28 lots of a part of
    its dollars, with u = 2^31, so that its coins are about 10^10 units.
    """

    def __init__(self, inputs: Inputs) -> None:
        contract = inputs.get("contract", "linear")
        if contract not in {"linear", "inverse"}:
            raise InexpressibleError(f"no contract is called {contract}")
        self.is_inverse = contract == "inverse"
        self.entry = exact(inputs["entry"])
        size = exact(inputs["usd" if self.is_inverse else "qty"])
        if not size:
            raise InexpressibleError("a position has a size")
        self.side = inputs.get("side", 1 if size > 0 else -1)
        self.size = abs(size)
        self.tick = tick_of(max(self.entry, *(exact(inputs.get(n, 0)) for n in ("exit", "mark"))))
        if self.is_inverse:
            self.lots, unit = 2**28, 2**31
            self.quote = self.size / self.tick / (self.lots * unit)
            self.value = self.size / self.entry
            self.market: dict[str, Any] = {
                "kind": mc.ContractKind.INVERSE_PERPETUAL,
                "quote_per_tick_lot": unit,
                "position_lots_max": self.lots,
                "funding_cap_ppm": 0,
            }
        else:
            self.lots, self.quote = LOTS, self.tick * self.size / LOTS
            self.value = self.size * self.entry
            self.market = {}
        if inputs.get("margin") is not None:
            self.margin = exact(inputs["margin"])
        else:
            self.margin = self.value / exact(inputs["margin_from_leverage"])
        self.margin += exact(inputs.get("extra_margin", 0))

    def spec(self, **more: Any) -> mc.MarketSpec:
        return spec_of(**(self.market | more))

    def state(self, margin: Fraction | None = None) -> mc.MarginState:
        held = self.margin if margin is None else margin
        return mc.MarginState(
            self.side * self.lots, round(self.value / self.quote), round(held / self.quote)
        )

    def ticks(self, price: float) -> int:
        return round(exact(price) / self.tick)

    def grid(self, price: float) -> Fraction:
        """Return how far an amount can be off: units of the quote, and the price to its tick."""
        of_tick = self.size * self.tick
        at = exact(price)
        return 4 * self.quote + (of_tick / at**2 if self.is_inverse else of_tick)


def tick_of(price: Fraction) -> Fraction:
    """Return a power of ten of which the price has many, and thirty times it still fits."""
    if price <= 0:
        raise InexpressibleError("a price of 0 is on no grid")
    tick = Fraction(1)
    while price / tick * 30 < PRICE_TICKS_MAX:
        tick /= 10
    while price / tick * 3 > PRICE_TICKS_MAX:
        tick *= 10
    return tick


LIQ_INPUTS = {
    "contract", "side", "qty", "usd", "entry", "margin", "margin_from_leverage", "extra_margin",
    "mm_rate_mark", "mm_rate_entry", "maint_amount", "close_fee_rate_mark", "close_fee_rate_entry",
    "buffer", "max_leverage", "constant", "funding_due",
}  # fmt: skip


def liq(inputs: Inputs) -> Answer:
    """MARG-5, COIN-2; what is charged on entry value, or fixed, is collateral set aside."""
    if unknown := inputs.keys() - LIQ_INPUTS:
        raise InexpressibleError(f"an input that nobody has looked at: {min(unknown)}")
    p = Scaled(inputs)
    buffer = exact(inputs.get("buffer", 0))  # moves the price towards the entry
    of_mark = exact(inputs.get("mm_rate_mark", 0)), exact(inputs.get("close_fee_rate_mark", 0))
    of_entry = exact(inputs.get("mm_rate_entry", 0)) + exact(inputs.get("close_fee_rate_entry", 0))
    if not {"mm_rate_mark", "mm_rate_entry"} & inputs.keys() and "max_leverage" in inputs:
        of_mark = 1 / (2 * exact(inputs["max_leverage"])), of_mark[1]
    amount = exact(inputs.get("maint_amount", 0))
    aside = p.value * of_entry + exact(inputs.get("constant", 0))
    aside += exact(inputs.get("funding_due", 0))
    if not any(of_mark):
        found = mc.bankruptcy_price_ticks(
            p.spec(), p.state(p.margin - aside + amount), funding_index_e6=0
        )
        if found is None:
            return None, p.tick
        if found == PRICE_TICKS_MAX:
            raise InexpressibleError("no liquidation price inside the market's prices")
        price = found * p.tick
    else:
        rate, fee = map(ppm, of_mark)
        rate, fee = (rate, fee) if rate else (fee, 0)
        spec = p.spec(maintenance=rate, amount=round(amount / p.quote), taker=fee)
        ticks = liquidation_ticks(spec, p, p.margin - aside)
        if ticks is None:
            return None, p.tick
        price = ticks * p.tick
        if ticks and amount:
            worth = mc.worth_quote(spec, position_lots=p.lots, price_ticks=ticks)
            if worth < spec.tiers[-1].notional_floor_quote:
                raise InexpressibleError("the amount is of a tier above the position")
    if price <= p.tick and buffer:
        raise InexpressibleError("a buffer from a price below 0")
    return price + buffer * (p.entry - price), 2 * p.tick * (1 + abs(1 - buffer))


def liquidation_ticks(spec: mc.MarketSpec, p: Scaled, margin: Fraction) -> int | None:
    """Return the kernel's tick, 0 for a long that is safe at every price; None: there is none."""
    state = p.state(margin)
    ticks = mc.liquidation_price_ticks(spec, state, funding_index_e6=0)
    if ticks == PRICE_TICKS_MAX:
        raise InexpressibleError("liquidatable at every price of the market")
    if ticks is not None:
        return ticks
    if p.side > 0:
        return 0
    if p.is_inverse and state.collateral_quote >= state.entry_value_quote:
        return None
    raise InexpressibleError("no liquidation price inside the market's prices")


def liq_cross(inputs: Inputs) -> Answer:
    """MARG-5; what other positions have over their maintenance is collateral."""
    margin = Scaled(inputs).margin
    for other in inputs["others"]:
        p = Scaled(other | {"margin": 0})
        spec = p.spec(
            maintenance=ppm(other["mm_rate"]),
            amount=round(exact(other.get("maint_amount", 0)) / p.quote),
        )
        mark, state = p.ticks(other["mark"]), p.state()
        equity = mc.equity_quote(spec, state, funding_index_e6=0, mark_price_ticks=mark)
        needs = mc.maintenance_requirement_quote(
            spec, position_lots=state.position_lots, mark_price_ticks=mark
        )
        margin += (equity - needs) * p.quote
    own = {name: value for name, value in inputs.items() if name != "others"}
    return liq(own | {"margin": margin.limit_denominator(10**9)})


def bankruptcy(inputs: Inputs) -> Answer:
    """MARG-6, COIN-3."""
    p = Scaled(inputs)
    ticks = mc.bankruptcy_price_ticks(p.spec(), p.state(), funding_index_e6=0)
    if ticks == PRICE_TICKS_MAX:
        raise InexpressibleError("no bankruptcy price inside the market's prices")
    return None if ticks is None else ticks * p.tick, 2 * p.tick


def bankruptcy_inverse_fee(inputs: Inputs) -> Answer:
    """COIN-2: where equity is the fee to close; equality is safe, so it is next to that tick."""
    known = {name: inputs[name] for name in ("side", "usd", "entry")}
    of = {"margin": inputs["margin"]} if "margin" in inputs else {
        "margin_from_leverage": inputs["leverage"]}  # fmt: skip
    return liq(known | of | {"contract": "inverse", "mm_rate_mark": inputs["fee_rate"]})


def inverse_value(inputs: Inputs) -> Answer:
    """NUM-3, COIN-1."""
    if exact(inputs["usd"]) < 0:
        raise InexpressibleError("a worth has no sign")
    p = Scaled(inputs | INVERSE | {"entry": inputs["price"], "side": 1, "margin": 0})
    worth = mc.worth_quote(p.spec(), position_lots=-p.lots, price_ticks=p.ticks(inputs["price"]))
    return worth * p.quote, p.grid(inputs["price"])


def pnl_inverse(inputs: Inputs) -> Answer:
    """FILL-4, COIN-1: what closing realises; costs are paid beside it."""
    p = Scaled(inputs | INVERSE | {"margin": inputs["usd"]})
    exit_ticks = p.ticks(inputs["exit"])
    after = mc.apply_fill(
        p.spec(),
        p.state(p.value * 100),
        funding_index_e6=0,
        mark_price_ticks=exit_ticks,
        side=1 if p.side > 0 else 0,
        qty_lots=p.lots,
        price_ticks=exit_ticks,
        fee_ppm=0,
    )
    costs = exact(inputs.get("costs", 0))
    return after.pnl_quote * p.quote - costs, p.grid(inputs["exit"]) + p.grid(inputs["entry"])


def funding_inverse(inputs: Inputs) -> Answer:
    """MARG-1, COIN-1: the rate of what the position is worth at the mark, in coins."""
    whole = 10**9
    spec = spec_of(**INVERSE_UNIT, quote_per_tick_lot=whole, position_lots_max=1)
    worth = mc.worth_quote(spec, position_lots=1, price_ticks=1)
    quote = abs(exact(inputs["usd"])) / exact(inputs["mark"]) / worth
    index = exact(inputs["rate"]) * exact(inputs.get("time_fraction", 1)) * worth * PPM
    if index.denominator != 1:
        raise InexpressibleError("the funding index has six decimals of a quote unit")
    state = mc.MarginState(inputs["side"], 0, 0)
    owed = mc.funding_owed_quote(spec, state, funding_index_e6=int(index))
    return -owed * quote, quote


def dydx_bankruptcy(inputs: Inputs) -> Answer:
    """FILL-4: the closed share of the entry value is what closing must bring."""
    qty = exact(inputs["positions"][0]["qty"])
    owed = exact(inputs["quote_balance_usd"]) * PPM * (-1 if qty > 0 else 1)
    if len(inputs["positions"]) > 1 or owed < 0:
        return dydx_bankruptcy_shared(inputs)
    lots, closed = (whole(abs(n) * 10**8) for n in (qty, exact(inputs["close"]["qty"])))
    state = mc.MarginState(lots if qty > 0 else -lots, whole(owed), 2**50)
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


def dydx_bankruptcy_shared(inputs: Inputs) -> Answer:
    """Of positions that share their collateral, or may cost to close: that venue's own rule."""
    value = other_venues.dydx_bankruptcy_value(
        exact(inputs["quote_balance_usd"]),
        held_of(inputs),
        inputs["close"]["index"],
        exact(inputs["close"]["qty"]),
    )
    return ceil(value * PPM), Fraction(0)


def held_of(inputs: Inputs) -> list[other_venues.Held]:
    """Return dYdX's positions; the maintenance share is common or of each."""
    return [
        other_venues.Held(
            exact(p["qty"]), exact(p["price"]), exact(p.get("mm_frac", inputs["mm_frac"]))
        )
        for p in inputs["positions"]
    ]


def funding_cash(inputs: Inputs) -> Answer:
    """FUND-1, MARG-1: the index moves by rate times price; what is owed is not received."""
    qty = exact(inputs["qty"])
    per_unit = Fraction(0)
    for mark, rate in zip(listed(inputs["marks"]), listed(inputs["rates"]), strict=True):
        per_unit += exact(mark) * exact(rate) * exact(inputs["time_fraction"])
    quote = Fraction(1, 10 ** (15 - len(str(int(abs(per_unit * qty))))))
    lots = round(qty * 10**6)
    index = per_unit / 10**6 / quote * PPM  # of a lot of 10^-6
    if index.denominator != 1:
        raise InexpressibleError("the funding index has six decimals of a quote unit")
    state = mc.MarginState(inputs["side"] * lots, 0, 0)
    owed = mc.funding_owed_quote(spec_of(), state, funding_index_e6=int(index))
    return -owed * quote, 2 * quote + abs(per_unit) / 10**6


def dydx_settle(inputs: Inputs) -> Answer:
    """MARG-1 of one quantum: whole, so that the product may be beyond the kernel's bounds."""
    moved = (inputs["funding_index"] - inputs["last_index"]) * PPM
    quantums = inputs["quantums"]
    state = mc.MarginState(1 if quantums > 0 else -1, 0, 0)
    owed = mc.funding_owed_quote(spec_of(), state, funding_index_e6=moved)
    return -owed * abs(quantums), Fraction(0)


def requirement(
    notional: Fraction, rate: int, *, initial: bool, amount: int = 0, taker: int = 0
) -> int:
    """MARG-3 of a notional in whole quote, as lots at one tick; more than fit, in two parts."""
    if notional > POSITION_LOTS_MAX and not amount:
        millions, rest = divmod(ceil(notional), PPM)  # of a million the requirement is whole
        parts = (
            requirement(Fraction(part), rate, initial=initial, taker=taker) for part in (PPM, rest)
        )
        return millions * next(parts) + next(parts)
    at = {"position_lots": ceil(notional), "mark_price_ticks": 1}
    bounds = {"price_ticks_max": 2, "position_lots_max": 2**40}
    if rate in {0, PPM} and not amount:  # outside MKT-1: nothing, or the notional itself
        spec = spec_of(**bounds)
        return rate // PPM * mc.worth_quote(spec, position_lots=at["position_lots"], price_ticks=1)
    if initial:
        if rate == 1:
            rate, at["position_lots"] = 2, ceil(notional / 2)
        spec = spec_of(maintenance=rate - 1, initial=rate, **bounds)
        return mc.initial_requirement_quote(spec, **at)
    spec = spec_of(
        maintenance=rate, amount=amount, taker=taker, notional=at["position_lots"], **bounds
    )
    return mc.maintenance_requirement_quote(spec, **at)


def scale_of(notional: Fraction) -> int:
    """Return quote units of one: 10^6, or fewer for a notional that would not fit."""
    scales = (1_000_000, 100_000, 10_000, 1_000, 100, 10)
    return next((scale for scale in scales if notional * scale <= 2**40), 1)


def im_linear(inputs: Inputs) -> Answer:
    """MARG-3."""
    notional = abs(exact(inputs["qty"]) * exact(inputs["price"]))
    scale = scale_of(notional)
    leverage = exact(inputs["leverage"])
    if (PPM / leverage).denominator == 1:
        needs = requirement(notional * scale, int(PPM / leverage), initial=True)
        return Fraction(needs, scale), Fraction(2, scale)
    spec = spec_of(price_ticks_max=2, position_lots_max=2**40)
    cost = mc.order_cost(
        spec, side=0, qty_lots=ceil(notional * scale), price_ticks=1, leverage=leverage
    )
    return Fraction(cost.margin_quote, scale), Fraction(2, scale)


def iso_factor(inputs: Inputs) -> Answer:
    """MARG-3: a margin factor is an initial rate."""
    notional = abs(exact(inputs["qty"]) * exact(inputs["price"]))
    scale = scale_of(notional)
    needs = requirement(notional * scale, ppm(inputs["factor"]), initial=True)
    return Fraction(needs, scale), Fraction(2, scale)


def mm_linear(inputs: Inputs) -> Answer:
    """MARG-3."""
    notional = abs(exact(inputs["qty"]) * exact(inputs["price"]))
    scale = scale_of(notional)
    amount = round(exact(inputs.get("maint_amount", 0)) * scale)
    rate = ppm(inputs["mm_rate"])
    needs = requirement(notional * scale, rate, initial=False, amount=amount)
    return Fraction(needs, scale), Fraction(2, scale)


def dydx_im(inputs: Inputs) -> Answer:
    """MARG-3; the rate grows with open interest between two bounds, rounded down to ppm."""
    low, high, rate = inputs["oi_lower"], inputs["oi_upper"], inputs["im_ppm"]
    if high > low and inputs["oi"] > low:
        rate += (PPM - rate) * min(inputs["oi"] - low, high - low) // (high - low)
    return requirement(Fraction(inputs["quote_quantums"]), rate, initial=True), Fraction(0)


def dydx_req(inputs: Inputs) -> Answer:
    """MARG-3: maintenance is a share of the initial requirement."""
    power = Fraction(10) ** (inputs["exponent"] + inputs["base_resolution"] + 6)
    notional = floor(abs(inputs["quantums"] * inputs["price"]) * power)
    im = requirement(Fraction(notional), inputs["im_ppm"], initial=True)
    mm = requirement(Fraction(im), inputs["fraction_ppm"], initial=False)
    return {"im": im, "mm": mm}, Fraction(0)


def derive_perp(inputs: Inputs) -> Answer:
    """MARG-2, MARG-3: margin is equity less requirement, profit counted as collateral."""
    qty = exact(inputs["qty"])
    notional = abs(qty) * exact(inputs["perp_price"]) * PPM
    lots = int(notional) if qty > 0 else -int(notional)
    state = mc.MarginState(lots, int(notional), round(exact(inputs["mtm"]) * PPM))
    spec = spec_of(price_ticks_max=2, position_lots_max=2**40)
    equity = mc.equity_quote(spec, state, funding_index_e6=0, mark_price_ticks=1)
    im = equity - requirement(notional, ppm(inputs["im_req"]), initial=True)
    mm = equity - requirement(notional, ppm(inputs["mm_req"]), initial=False)
    return {"im": Fraction(im, PPM), "mm": Fraction(mm, PPM)}, Fraction(4, PPM)


def gmx1_coll(inputs: Inputs) -> Answer:
    """FILL-2: what is left of the margin after the opening fee."""
    size, deposit = exact(inputs["size"]), exact(inputs["deposit"])
    scale = scale_of(max(size, deposit) * 2**8)  # an order has 2^32 lots at most
    after = mc.apply_fill(
        spec_of(price_ticks_max=2, position_lots_max=2**40),
        mc.MarginState(0, 0, 0),
        funding_index_e6=0,
        mark_price_ticks=1,
        side=0,
        qty_lots=ceil(size * scale),
        price_ticks=1,
        fee_ppm=ppm(inputs["margin_fee"]),
        order_margin_quote=int(deposit * scale),
        free_quote=int(deposit * scale),
    )
    # deposit, size and fee are each rounded to a unit of the quote
    return Fraction(after.state.collateral_quote, scale), Fraction(3, scale)


def order_cost(inputs: Inputs) -> Answer:
    """COST-1: margin, fee to open, fee to close at the bankruptcy price."""
    p = Scaled(inputs | {"entry": inputs["price"], "margin": 0})
    cost = mc.order_cost(
        p.spec(taker=ppm(inputs["fee_rate"])),
        side=0 if p.side > 0 else 1,
        qty_lots=p.lots,
        price_ticks=p.ticks(inputs["price"]),
        leverage=exact(inputs["leverage"]),
    )
    names = ("init_margin", "open_fee", "close_fee", "total")
    answer = {name: part * p.quote for name, part in zip(names, cost, strict=True)}
    return answer, 2 * p.grid(inputs["price"])


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
    notional = whole(abs(exact(inputs["notional"])) * 10**4)  # quote of 10^-4
    begin = max(
        tier.notional_floor_quote for tier in tiers if tier.notional_floor_quote <= notional
    )
    ends = [tier.notional_floor_quote for tier in tiers if tier.notional_floor_quote > notional]
    other = notional + PPM  # of a million quote the requirement is whole
    if ends and other > min(ends):
        other = notional - PPM
    if other < begin:
        raise InexpressibleError("a tier of less than a hundred of the currency")
    at_notional, at_other = (
        mc.maintenance_requirement_quote(spec, position_lots=lots, mark_price_ticks=1)
        for lots in (notional, other)
    )
    rate = Fraction(at_other - at_notional, other - notional)
    amount = (notional * rate - at_notional) / 10**4
    return {"rate": rate, "maint_amount": amount}, Fraction(1, 10**4)


def dydx_state(inputs: Inputs) -> tuple[mc.MarginState, int]:
    """Return a position of one lot whose entry value is what the balance lacks, and its mark."""
    qty, balance = exact(inputs["qty"]), exact(inputs["quote_balance_usd"])
    mark = abs(qty) * exact(inputs["price"]) * 10**4
    value = max(Fraction(0), balance * PPM * (-1 if qty > 0 else 1))
    margin = balance * PPM + (value if qty > 0 else -value)
    return mc.MarginState(1 if qty > 0 else -1, whole(value), whole(margin)), whole(mark)


def whole(amount: Fraction) -> int:
    if amount.denominator != 1:
        raise InexpressibleError("finer than a unit of the quote")
    return int(amount)


def dydx_is_liq(inputs: Inputs) -> Answer:
    """MARG-4."""
    state, mark = dydx_state(inputs)
    spec = spec_of(maintenance=ppm(inputs["mm_frac"]), quote_per_tick_lot=100, position_lots_max=1)
    return mc.is_liquidatable(spec, state, funding_index_e6=0, mark_price_ticks=mark), Fraction(0)


def dydx_if_delta(inputs: Inputs) -> Answer:
    """LIQ-2: the liquidation fee ends at the equity; a fill beyond bankruptcy costs the fund."""
    state, mark = dydx_state(inputs)
    rate = ppm(inputs["max_liq_fee"])
    if rate < 0:
        raise InexpressibleError("a fee below 0")
    parts = ceil(rate / FEE_PPM_MAX) or 1  # a market charges 10 % at most
    fee = rate // parts
    if fee * parts != rate:
        raise InexpressibleError("a fee that is no sum of ten percents")
    spec = spec_of(
        maintenance=ppm(inputs["mm_frac"]),
        quote_per_tick_lot=100,
        position_lots_max=1,
        fee_liquidation_ppm=fee,
    )
    price = whole(abs(exact(inputs["qty"])) * exact(inputs["fill_price"]) * 10**4)
    left = mc.equity_quote(spec, state, funding_index_e6=0, mark_price_ticks=price)
    after = mc.apply_liquidation_fill(
        spec, state, funding_index_e6=0, mark_price_ticks=mark, qty_lots=1, price_ticks=price
    )
    if after.verdict == mc.Verdict.NOT_LIQUIDATABLE:
        raise InexpressibleError("nobody liquidates such a position")
    if left < 0:
        assert after.verdict == mc.Verdict.LIQUIDATION_PRICE
        return left, Fraction(0)
    assert after.verdict == mc.Verdict.OK
    grid = Fraction(parts)  # each part's fee is rounded up, the venue's sum down
    if parts == 1:
        return after.fee_quote, grid
    charged = parts * mc.fee_quote(spec, qty_lots=1, price_ticks=price, fee_ppm=fee)
    return min(charged, left), grid


def if_delta_linear(inputs: Inputs) -> Answer:
    """MARG-2: the fund gets what equity is at the exit, or pays what it lacks."""
    p = Scaled(inputs)
    return equity_at(p, inputs["exit"]), 2 * p.grid(inputs["exit"])


def equity_at(p: Scaled, price: float) -> Fraction:
    """MARG-2, COIN-1."""
    equity = mc.equity_quote(
        p.spec(), p.state(), funding_index_e6=0, mark_price_ticks=p.ticks(price)
    )
    return equity * p.quote


ADAPTERS: dict[tuple[str, str], Callable[[Inputs], Answer]] = {
    ("bankruptcy_price", "bankruptcy"): bankruptcy,
    ("bankruptcy_price", "bankruptcy_inverse_fee"): bankruptcy_inverse_fee,
    ("bankruptcy_price", "dydx_bankruptcy"): dydx_bankruptcy,
    ("funding_payment", "dydx_settle"): dydx_settle,
    ("funding_payment", "funding_cash"): funding_cash,
    ("funding_payment", "funding_inverse"): funding_inverse,
    ("init_margin", "dydx_im"): dydx_im,
    ("init_margin", "gmx1_coll"): gmx1_coll,
    ("init_margin", "im_linear"): im_linear,
    ("insurance_fund", "dydx_if_delta"): dydx_if_delta,
    ("insurance_fund", "if_delta_linear"): if_delta_linear,
    ("is_liquidatable", "dydx_is_liq"): dydx_is_liq,
    ("iso_margin", "iso_factor"): iso_factor,
    ("liq_price", "liq"): liq,
    ("liq_price", "liq_cross"): liq_cross,
    ("maint_amount", "tier_cum"): tier_cum,
    ("maint_amount", "tier_step"): tier_step,
    ("maint_margin", "derive_perp"): derive_perp,
    ("maint_margin", "dydx_req"): dydx_req,
    ("maint_margin", "mm_linear"): mm_linear,
    ("notional", "inverse_value"): inverse_value,
    ("order_cost", "order_cost"): order_cost,
    ("pnl", "pnl_inverse"): pnl_inverse,
    ("tier_lookup", "tier_lookup"): tier_lookup,
}
