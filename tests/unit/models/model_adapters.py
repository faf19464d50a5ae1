"""Maps published numbers onto the models beside the kernel: one adapter per (kind, formula)."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import exp, sqrt
from typing import TYPE_CHECKING, Any

from margin_core.models import (
    backtest,
    black76,
    black_scholes,
    concentration,
    funding,
    liquidation_risk,
    option_margin,
    volatility,
)
from tests.unit.margin_core.venue_adapters import Answer, InexpressibleError, Inputs

if TYPE_CHECKING:
    from collections.abc import Callable

JULIAN_YEAR_S = 365.25 * 86_400
DIRECT = Fraction(0)  # floats have no grid

# What one unit of a derivative is per: a point or percent, a day, or 1.00 and a year.
PER_PERCENT, PER_DAY, WHOLE = 0.01, 1 / 365, 1.0
UNITS = dict.fromkeys(("pct", "percent", "point", "1pct"), PER_PERCENT) | {
    "day": PER_DAY, "year": WHOLE, "unit": WHOLE,
}  # fmt: skip
FIELDS = {
    "delta": "delta",
    "gamma": "gamma_per_quote",
    "vega": "vega_quote_per_vol",
    "theta": "theta_quote_per_year",
    "rho": "rho_quote_per_rate",
}
# py_vollib's own units, where the name of the derivative says none; Haug's are per 1 and per year.
PY_VOLLIB = {"vega": PER_PERCENT, "rho": PER_PERCENT, "theta": PER_DAY}
OF_YIELD = {"dividend_rho", "dividendrho", "div_rho", "divrho", "rho_q", "phi", "rho2"}
OF_CARRY = {"carry", "carry_rho", "carryrho", "rho_b"}


def option_black76(inputs: Inputs) -> Answer:
    value = black76.price(
        inputs["forward"],
        inputs["strike"],
        inputs["t"],
        inputs["vol"],
        is_call=inputs["call"],
        rate_per_year=rate_of(inputs),
    )
    return float(value), DIRECT


def option_black76_normalised(inputs: Inputs) -> Answer:
    value, _ = option_black76(inputs)
    return value / sqrt(inputs["forward"] * inputs["strike"]), DIRECT


def spot_option(inputs: Inputs) -> tuple[tuple[float, ...], dict[str, Any]]:
    """Return the arguments of every function of `black_scholes`."""
    where = inputs["spot"], inputs["strike"], inputs["t"], inputs["vol"]
    return where, {
        "is_call": inputs["call"],
        "rate_per_year": rate_of(inputs),
        "yield_per_year": inputs.get("q", 0.0),
    }


def option_black_scholes(inputs: Inputs) -> Answer:
    where, more = spot_option(inputs)
    return float(black_scholes.price(*where, **more)), DIRECT


def unit_of(greek: str, own: dict[str, float]) -> tuple[str, float]:
    """Return (derivative, what one unit of the number is per), from a name as `theta_day`."""
    name, _, unit = greek.lower().partition("_")
    if name not in FIELDS or unit not in {"", *UNITS}:
        raise InexpressibleError(f"no derivative is called {greek}")
    return name, UNITS[unit] if unit else own.get(name, WHOLE)


def greek_black76(inputs: Inputs) -> Answer:
    name, per = unit_of(inputs["greek"], PY_VOLLIB)
    found = black76.greeks(
        inputs["forward"],
        inputs["strike"],
        inputs["t"],
        inputs["vol"],
        is_call=inputs["call"],
        rate_per_year=rate_of(inputs),
    )
    return float(getattr(found, FIELDS[name])) * per, DIRECT


def greek_py_vollib(inputs: Inputs) -> Answer:
    return greek_of_spot(inputs, PY_VOLLIB)


def greek_haug(inputs: Inputs) -> Answer:
    return greek_of_spot(inputs, {})


def greek_of_spot(inputs: Inputs, own: dict[str, float]) -> Answer:
    where, more = spot_option(inputs)
    greek = inputs["greek"].lower()
    if greek == "elasticity":
        return float(black_scholes.elasticity(*where, **more)), DIRECT
    if greek in OF_YIELD:
        return float(black_scholes.yield_rho_quote_per_rate(*where, **more)), DIRECT
    if greek in OF_CARRY:  # the yield is the rate less the carry
        return -float(black_scholes.yield_rho_quote_per_rate(*where, **more)), DIRECT
    name, per = unit_of(greek, own)
    return float(getattr(black_scholes.greeks(*where, **more), FIELDS[name])) * per, DIRECT


def ewma(inputs: Inputs) -> Answer:
    before = inputs["var"] if "var" in inputs else inputs["vol"] ** 2
    variance = float(volatility.ewma_variance(before, inputs["ret"], inputs["lam"]))
    return {"var": variance, "vol": sqrt(variance)}, DIRECT


def lognormal_shortfall(inputs: Inputs) -> Answer:
    where = inputs["lam"], inputs["tau"], inputs["sigma"]
    drift = inputs.get("mu", 0.0)
    return {
        "long": float(volatility.lognormal_shortfall_long(*where, drift_per_year=drift)),
        "short": float(volatility.lognormal_shortfall_short(*where, drift_per_year=drift)),
    }, DIRECT


def lognormal_range(inputs: Inputs) -> Answer:
    years = inputs["horizon_s"] / JULIAN_YEAR_S
    low, high = volatility.lognormal_range(inputs["price"], inputs["prob"], years, inputs["sigma"])
    return {"lo": float(low), "hi": float(high)}, DIRECT


def touch(inputs: Inputs) -> tuple[tuple[float, ...], float]:
    """Return (price, barrier, years, volatility) and the drift of the price's logarithm."""
    where = inputs["spot"], inputs["barrier"], inputs["t"], inputs["vol"]
    return where, rate_of(inputs) - inputs.get("q", 0.0) - inputs["vol"] ** 2 / 2


def rate_of(inputs: Inputs) -> float:
    return float(inputs.get("r", 0.0))


def is_passed(inputs: Inputs) -> bool:
    """Return whether the barrier is where the price is, or behind it."""
    up = inputs.get("up", inputs["barrier"] > inputs["spot"])
    return bool(inputs["barrier"] <= inputs["spot"] if up else inputs["barrier"] >= inputs["spot"])


def one_touch_expiry(inputs: Inputs) -> Answer:
    where, drift = touch(inputs)
    hit = 1.0
    if not is_passed(inputs):
        hit = float(liquidation_risk.hit_probability(*where, log_drift_per_year=drift))
    discounted = inputs["cash"] * exp(-rate_of(inputs) * inputs["t"])
    return discounted * (hit if inputs.get("touch", True) else 1 - hit), DIRECT


def one_touch_hit(inputs: Inputs) -> Answer:
    where, drift = touch(inputs)
    if is_passed(inputs):
        return float(inputs["cash"]), DIRECT
    worth = liquidation_risk.discounted_hit(
        *where, log_drift_per_year=drift, rate_per_year=rate_of(inputs)
    )
    return inputs["cash"] * float(worth), DIRECT


def kupiec(inputs: Inputs) -> Answer:
    found = backtest.kupiec(inputs["n"], inputs["x"], inputs["p"])
    return {"lr": found.statistic, "pvalue": found.p_value}, DIRECT


def christoffersen(inputs: Inputs) -> Answer:
    found = backtest.christoffersen(*(inputs[name] for name in ("n00", "n01", "n10", "n11")))
    return {"lr": found.statistic, "pvalue": found.p_value}, DIRECT


def conditional_coverage(inputs: Inputs) -> Answer:
    """From the periods, or from counts: of `n` periods `x`, else of the transitions' ends."""
    if "exceptions" in inputs:
        found = backtest.conditional_coverage(inputs["exceptions"], inputs["p"])
        return {"lr": found.statistic, "pvalue": found.p_value}, DIRECT
    counts = [inputs[name] for name in ("n00", "n01", "n10", "n11")]
    n, x = inputs.get("n", sum(counts)), inputs.get("x", counts[1] + counts[3])
    apart, often = backtest.christoffersen(*counts), backtest.kupiec(n, x, inputs["p"])
    both = often.statistic + apart.statistic
    return {"lr": both, "pvalue": exp(-both / 2)}, DIRECT  # chi-square of two degrees


def implied_volatility(inputs: Inputs) -> Answer:
    """Of a forward, or of a spot price with its carry."""
    rate, years = rate_of(inputs), inputs["t"]
    if "forward" in inputs:
        forward = inputs["forward"]
    else:
        forward = inputs["spot"] * exp((rate - inputs.get("q", 0.0)) * years)
    found = black76.implied_volatility(
        inputs["price"],
        forward,
        inputs["strike"],
        years,
        is_call=inputs["call"],
        rate_per_year=rate,
    )
    return float(found), DIRECT


def derive_option(inputs: Inputs) -> Answer:
    """A requirement is negative there; `mtm` is that of the whole position."""
    held = inputs["amount"]
    if held >= 0:
        return {"im": 0.0, "mm": 0.0}, DIRECT  # a long has paid its premium
    rule = replace(
        option_margin.DERIVE,
        initial_least=inputs["min_spot_req"],
        initial_at_the_money=inputs["max_spot_req"],
        maintenance_call=inputs["mm_call"],
        maintenance_put=inputs["mm_put"],
        maintenance_put_of_mark=inputs["mm_put_mtm"],
        put_initial_to_maintenance=inputs["mm_offset"],
    )
    initial, maintenance = option_margin.short_option_margin(
        rule,
        reference=inputs["spot"],
        strike=inputs["strike"],
        mark=inputs["mtm"] / held,
        is_call=inputs["is_call"],
    )
    return {"im": held * float(initial), "mm": held * float(maintenance)}, DIRECT


SHORT_OPTIONS = {
    "okx_option": option_margin.OKX_BTC,
    "deribit_option": option_margin.DERIBIT,
    "aevo_option": option_margin.AEVO,
    "bybit_option": option_margin.BYBIT,
    "bit_option": option_margin.BIT_BTC,
}
SHARES = {  # of a rule, however a file calls them
    "initial_least": ("min_spot_req", "im_min", "a"),
    "initial_at_the_money": ("max_spot_req", "im_max", "b"),
    "maintenance_call": ("mm_call", "mm_rate", "c"),
    "maintenance_put": ("mm_put", "mm_rate", "c"),
    "maintenance_put_of_mark": ("mm_put_mtm", "mm_put", "mm_rate", "c"),
    "liquidation_fee": ("liq_fee", "liq_fee_rate"),
    "factor": ("factor", "tier_factor"),
}


def first_of(inputs: Inputs, *names: str, default: Any = None) -> Any:
    """Return what is told under one of several names."""
    for name in names:
        if name in inputs:
            return inputs[name]
    if default is None:
        raise InexpressibleError(f"the input {names[0]} is not given")
    return default


def short_option(rule: option_margin.ShortOptionRule, inputs: Inputs) -> Answer:
    """A short's margins, of all its units; coins where a coin is the reference."""
    told_shares = {
        field: first_of(inputs, *names, default=getattr(rule, field))
        for field, names in SHARES.items()
    }
    mark, price = inputs["mark"], inputs.get("avg_price", 0.0)
    reference = first_of(inputs, "reference", "ref", "forward", "index", "spot")
    in_coins = inputs.get("contract") == "inverse"
    size = abs(first_of(inputs, "amount", "qty", "n", default=1)) * inputs.get("mult", 1)
    unit = 1 / reference if in_coins else 1.0
    initial, maintenance = (
        option_margin.short_option_margin(
            replace(rule, **told_shares),
            reference=reference,
            strike=inputs["strike"],
            mark=each / unit,
            is_call=first_of(inputs, "is_call", "call"),
        )[which]
        for which, each in ((0, max(mark, price)), (1, mark))
    )
    answer = {"im": float(initial), "mm": float(maintenance)}
    return {name: size * unit * value for name, value in answer.items()}, DIRECT


def okx_sell_open(inputs: Inputs) -> Answer:
    """Its fee is per contract; at least a tenth of a unit is kept."""
    each = option_margin.order_margin_sell_to_open(
        inputs["price"],
        position_margin=inputs["pos_im"],
        least_share=inputs.get("min_share", 0.1),
        multiplier=inputs["mult"],
        fee=inputs.get("fee", 0.0),
    )
    return inputs.get("n", 1) * float(each), DIRECT


def okx_buy_open(inputs: Inputs) -> Answer:
    each = option_margin.order_margin_buy_to_open(
        inputs["price"], multiplier=inputs["mult"], fee=inputs.get("fee", 0.0)
    )
    return inputs.get("n", 1) * float(each), DIRECT


def okx_buy_close(inputs: Inputs) -> Answer:
    """Its fee is per unit of the underlying."""
    each = option_margin.order_margin_buy_to_close(
        inputs["price"],
        position_margin=inputs["pos_im"],
        multiplier=inputs["mult"],
        fee=inputs["fee"] * inputs["mult"],
    )
    return inputs["n"] * float(each), DIRECT


def okx_sell_close(inputs: Inputs) -> Answer:
    """Its fee is per contract."""
    each = option_margin.order_margin_sell_to_close(
        inputs["price"], multiplier=inputs["mult"], fee=inputs["fee"]
    )
    return inputs["n"] * float(each), DIRECT


def twap(inputs: Inputs) -> Answer:
    mean = funding.time_weighted_average(
        inputs["times"], inputs["prices"], inputs["end"], start=inputs.get("start")
    )
    return mean, DIRECT


def vega_funding(inputs: Inputs) -> Answer:
    paid = funding.payment_from_averages(
        inputs["f_twap"],
        inputs["s_twap"],
        years=inputs["delta_t"],
        rate_per_year=inputs["rate"],
        clamp_lower=inputs["clamp_lower"],
        clamp_upper=inputs["clamp_upper"],
    )
    return float(paid), DIRECT


def vega_funding_auction(inputs: Inputs) -> Answer:
    traded = 1 - inputs["auction"] / inputs["period"]
    averages = inputs["f_twap"], inputs["s_twap"]
    return float(funding.payment_from_averages(*averages, share_of_time=traded)), DIRECT


def vega_rate_caps(inputs: Inputs) -> Answer:
    rate = funding.rate_from_averages(
        inputs["f_twap"],
        inputs["s_twap"],
        scaling=inputs["scaling"],
        lower=inputs["rate_lower"],
        upper=inputs["rate_upper"],
    )
    return float(rate), DIRECT


def interest_component(inputs: Inputs) -> Answer:
    names = ("quote_rate", "base_rate", "intervals_per_day")
    return float(funding.interest_rate(*(inputs[name] for name in names))), DIRECT


def dydx_clamp(inputs: Inputs) -> Answer:
    initial = inputs["im_ppm"]
    maintenance = concentration.maintenance_ppm_of_initial(initial, inputs["fraction_ppm"])
    return funding.cap_ppm_by_margin(inputs["factor_ppm"], initial, maintenance), DIRECT


def dydx_mm_ppm(inputs: Inputs) -> Answer:
    rates = inputs["im_ppm"], inputs["fraction_ppm"]
    return concentration.maintenance_ppm_of_initial(*rates), DIRECT


def dydx_oimf(inputs: Inputs) -> Answer:
    rate = concentration.initial_ppm_by_open_interest(
        inputs["im_ppm"],
        open_interest=inputs["oi"],
        lower=inputs["oi_lower"],
        upper=inputs["oi_upper"],
    )
    return rate, DIRECT


def drift_margin_ratio(inputs: Inputs) -> Answer:
    """Rates in 10^-4; the factor in 10^-6, size in 10^-9; a fill's is that of the rates' mean."""
    initial, maintenance = inputs["im"], inputs["mm"]
    kinds = {"initial": initial, "maintenance": maintenance, "fill": (initial + maintenance) // 2}
    if inputs["type"] not in kinds:
        raise InexpressibleError(f"no margin is called {inputs['type']}")
    rate = concentration.rate_e4_by_root_of_size(
        kinds[inputs["type"]], factor_e6=inputs["imf"], quantity_e9=inputs["base"]
    )
    return rate, DIRECT


def margin_size_linear(inputs: Inputs) -> Answer:
    rate = concentration.rate_linear_in_size(
        inputs["base_rate"], inputs["slope_per_unit"], inputs["qty"]
    )
    return float(rate) * abs(inputs["qty"]) * inputs["index"], DIRECT


MODEL_ADAPTERS: dict[tuple[str, str], Callable[[Inputs], Answer]] = {
    ("black76", "black76"): option_black76,
    ("black76", "black76_normalised"): option_black76_normalised,
    ("black76", "gbs"): option_black_scholes,
    ("black_scholes", "gbs"): option_black_scholes,
    ("christoffersen", "christoffersen"): christoffersen,
    ("christoffersen", "cc"): conditional_coverage,
    ("conditional_coverage", "conditional_coverage"): conditional_coverage,
    ("implied_vol", "implied_vol"): implied_volatility,
    ("implied_vol", "black76_iv"): implied_volatility,
    ("ewma", "ewma"): ewma,
    ("first_passage", "one_touch_expiry"): one_touch_expiry,
    ("first_passage", "one_touch_hit"): one_touch_hit,
    ("funding_clamp", "dydx_clamp"): dydx_clamp,
    ("funding_payment", "vega_funding"): vega_funding,
    ("funding_payment", "vega_funding_auction"): vega_funding_auction,
    ("funding_rate", "interest_component"): interest_component,
    ("funding_rate", "vega_rate_caps"): vega_rate_caps,
    ("greeks", "black76_greek"): greek_black76,
    ("greeks", "bs_greek"): greek_py_vollib,
    ("greeks", "gbs_greek"): greek_haug,
    ("init_margin", "margin_size_linear"): margin_size_linear,
    ("init_rate", "drift_margin_ratio"): drift_margin_ratio,
    ("init_rate", "dydx_oimf"): dydx_oimf,
    ("kupiec", "kupiec"): kupiec,
    ("maint_margin", "margin_size_linear"): margin_size_linear,
    ("maint_rate", "drift_margin_ratio"): drift_margin_ratio,
    ("maint_rate", "dydx_mm_ppm"): dydx_mm_ppm,
    ("option_isolated_margin", "derive_option"): derive_option,
    ("option_order_cost", "okx_buy_close"): okx_buy_close,
    ("option_order_cost", "okx_buy_open"): okx_buy_open,
    ("option_order_cost", "okx_sell_open"): okx_sell_open,
    ("option_order_cost", "okx_sell_close"): okx_sell_close,
    **{
        ("option_isolated_margin", name): partial(short_option, rule)
        for name, rule in SHORT_OPTIONS.items()
    },
    ("predictive_margin", "lognormal_es_rf"): lognormal_shortfall,
    ("price_range", "lognormal_range"): lognormal_range,
    ("twap", "twap"): twap,
}
