"""What an order asks for, as names, so that a random run can tell what it has tried."""

from __future__ import annotations

from matcher.engine.commands import (
    FLAG_POST_ONLY,
    FLAG_REDUCE_ONLY,
    NEVER_S,
    TIF_FOK,
    TIF_GTC,
    TIF_IOC,
    TRIGGER_NONE,
    Command,
)
from matcher.engine.instructions import (
    FLAG_ATTACHED,
    FLAG_ON_LAST,
    FLAG_SLIDES,
    PLAIN,
    SelfTradePrevention,
)

IN_FORCE = {TIF_GTC: "GTC", TIF_IOC: "IOC", TIF_FOK: "FOK"}


def features_of(c: Command) -> list[str]:
    """Return the names of what an order that was accepted asks for."""
    w = c.instructions
    asked = {
        "PLAIN": w == PLAIN and c.trigger_kind == TRIGGER_NONE and c.flags == 0,
        "GTD": c.expiry_time_s != NEVER_S,
        "POST_ONLY": c.flags & FLAG_POST_ONLY,
        "REDUCE_ONLY": c.flags & FLAG_REDUCE_ONLY,
        "SESSION": c.session,
        "ICEBERG": 0 < w.display_lots < c.qty_lots,
        "MIN_LOTS": w.min_lots,
        "TRAILING": w.trailing_ticks,
        "OCO": w.oco_nonce,
        "SLIDES": w.flags & FLAG_SLIDES,
        "ON_LAST": w.flags & FLAG_ON_LAST,
        "ATTACHED": w.flags & FLAG_ATTACHED,
        f"TRIGGER_{c.trigger_kind}": c.trigger_kind != TRIGGER_NONE,
        SelfTradePrevention(w.self_trade).name: w != PLAIN,
    }
    return [IN_FORCE[c.time_in_force], *(name for name, is_asked in asked.items() if is_asked)]


ORDER_FEATURES = {
    *IN_FORCE.values(), "PLAIN", "GTD", "POST_ONLY", "REDUCE_ONLY", "SESSION", "ICEBERG",
    "MIN_LOTS", "TRAILING", "OCO", "SLIDES", "ON_LAST", "ATTACHED", "TRIGGER_1", "TRIGGER_2",
    "TRIGGER_3", "TRIGGER_4", *SelfTradePrevention.__members__,
}  # fmt: skip
