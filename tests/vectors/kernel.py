"""Runs the cases of tests/vectors on the kernel: the third leg beside model and contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import margin_core as mc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from margin_core import FillOutcome, MarginState, MarketSpec

    Row = list[int]
    Cells = Iterator[int]


class KernelDiffersError(AssertionError):
    """The kernel says something else than the model."""


def check_rows(kind: str, specs: list[MarketSpec], rows: list[Row]) -> None:
    """Raise `KernelDiffersError` at the first case that the kernel decides differently."""
    for row in rows:
        cells = iter(row)
        spec = specs[next(cells)]
        state = _state(cells)
        at = {"funding_index_e6": next(cells), "mark_price_ticks": next(cells)}
        found, expected = KINDS[kind](spec, state, at, cells), list(cells)
        if expected != found[: len(expected)]:
            raise KernelDiffersError(f"{kind} {row}: model {expected}, kernel {found}, {spec}")


def _state(cells: Cells) -> MarginState:
    return mc.MarginState(*(next(cells) for _ in range(4)))


def _outcome(done: FillOutcome, *columns: str) -> Row:
    """Return verdict, state and the named columns; zeros when it was refused."""
    row = [*done.state[:3], *(getattr(done, name) for name in columns)]
    return [int(done.verdict), *(row if done.verdict == mc.Verdict.OK else [0] * len(row))]


def _requirements(spec: MarketSpec, p: MarginState, at: dict[str, int], _: Cells) -> Row:
    index = {"funding_index_e6": at["funding_index_e6"]}
    size = {"position_lots": p.position_lots, "mark_price_ticks": at["mark_price_ticks"]}
    liquidation = mc.liquidation_price_ticks(spec, p, **index)
    bankruptcy = mc.bankruptcy_price_ticks(spec, p, **index)
    assert bankruptcy is not None
    return [
        mc.funding_owed_quote(spec, p, **index),
        mc.equity_quote(spec, p, **at),
        mc.maintenance_requirement_quote(spec, **size),
        mc.initial_requirement_quote(spec, **size),
        int(mc.is_liquidatable(spec, p, **at)),
        -1 if liquidation is None else liquidation,
        bankruptcy,
        mc.adl_rank(spec, p, **at),
    ]


def _fill(spec: MarketSpec, p: MarginState, at: dict[str, int], cells: Cells) -> Row:
    names = ("side", "qty_lots", "price_ticks", "fee_ppm")
    order = ("order_margin_quote", "order_qty_lots", "order_filled_lots", "free_quote")
    told: dict[str, Any] = {name: next(cells) for name in names + order}
    done = mc.apply_fill(spec, p, **at, **told)
    return _outcome(done, "free_delta_quote", "fee_quote", "funding_quote")


def _top_up(spec: MarketSpec, p: MarginState, at: dict[str, int], cells: Cells) -> Row:
    done = mc.apply_top_up(
        spec,
        p,
        funding_index_e6=at["funding_index_e6"],
        amount_quote=next(cells),
        free_quote=next(cells),
    )
    return _outcome(done, "free_delta_quote")


def _take_out(spec: MarketSpec, p: MarginState, at: dict[str, int], cells: Cells) -> Row:
    done = mc.apply_take_out(spec, p, **at, amount_quote=next(cells))
    return _outcome(done, "free_delta_quote")


def _liquidation_fill(spec: MarketSpec, p: MarginState, at: dict[str, int], cells: Cells) -> Row:
    done = mc.apply_liquidation_fill(spec, p, **at, qty_lots=next(cells), price_ticks=next(cells))
    return _outcome(done, "free_delta_quote", "fee_quote")


def _takeover(spec: MarketSpec, p: MarginState, at: dict[str, int], cells: Cells) -> Row:
    _, fund = mc.apply_takeover(spec, p, _state(cells), **at)
    return _outcome(fund)


def _fund_fill(spec: MarketSpec, p: MarginState, at: dict[str, int], cells: Cells) -> Row:
    told: dict[str, Any] = {name: next(cells) for name in ("side", "qty_lots", "price_ticks")}
    return _outcome(mc.apply_fund_fill(spec, p, **at, **told))


def _adl(spec: MarketSpec, p: MarginState, at: dict[str, int], cells: Cells) -> Row:
    done, other = mc.apply_adl(spec, p, _state(cells), **at, qty_lots=next(cells))
    return _outcome(done, "free_delta_quote") + _outcome(other, "free_delta_quote")[1:]


KINDS: dict[str, Callable[[MarketSpec, MarginState, dict[str, int], Cells], Row]] = {
    "state": _requirements,
    "fill": _fill,
    "top_up": _top_up,
    "take_out": _take_out,
    "liquidation_fill": _liquidation_fill,
    "takeover": _takeover,
    "fund_fill": _fund_fill,
    "adl": _adl,
}
