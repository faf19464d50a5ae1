"""Every business rejection. The same names and numbers in proto and Solidity."""

from __future__ import annotations

import enum


class RejectReason(enum.IntEnum):
    """Why a command or a settlement item was refused.

    The numbers are names that stay. Of several reasons the one is told that is checked first: for
    an order in the order of the table in ORDERS.md, which is not that of the numbers (SPEC ORD-1).
    """

    NONE = 0
    MARKET_UNKNOWN = 1
    ACCOUNT_UNKNOWN = 2
    MARKET_STATE = 3
    EXPIRED = 4
    NONCE_USED = 5
    QTY_OUT_OF_RANGE = 6
    PRICE_OUT_OF_RANGE = 7
    FEE_ABOVE_LIMIT = 8
    ORDER_UNKNOWN = 9
    SELF_TRADE = 10
    SIDE_MISMATCH = 11
    PRICE_NOT_CROSSED = 12
    TIME_IN_FORCE = 13
    POST_ONLY_WOULD_TAKE = 14
    FOK_NOT_FILLABLE = 15
    OVERFILL = 16
    REDUCE_ONLY = 17
    TRIGGER_NOT_MET = 18
    NO_PRICE = 19
    PRICE_STALE = 20
    INSUFFICIENT_FREE_COLLATERAL = 21
    INSUFFICIENT_MARGIN = 22
    POSITION_LIMIT = 23
    BANKRUPT = 24
    NOT_LIQUIDATABLE = 25
    LIQUIDATION_PRICE = 26
    LIQUIDATION_TOO_LARGE = 27
    FUND_CANNOT_CARRY = 28
    FUND_CAN_CARRY = 29
    ADL_ORDER = 30
    NO_POSITION = 31
    SIGNATURE_INVALID = 32
    AMOUNT_OUT_OF_RANGE = 33
    PRICE_BAND = 34
    FUNDING_STEP = 35
    CAPACITY = 36
    FROZEN = 37
    MIN_QTY_NOT_MET = 38
    OPEN_INTEREST_LIMIT = 39
    UNFILLED_MISMATCH = 40
    GROUP_REJECTED = 41
    INSTRUCTIONS_INVALID = 42
    SESSION_KEY_SCOPE = 43
    PRICE_DEVIATION = 44
    PARAMETERS_NOT_DUE = 45
    RISK_PAUSED = 46
    OUTFLOW_LIMIT = 47
    LEVERAGE = 48
    EXITING = 49
    MARKET_CANNOT_PAY = 50
    # Reasons of ORDER_CANCELED that are not rejections.
    USER_CANCELED = 64
    IMMEDIATE_REMAINDER = 65
    LIQUIDATION = 66
    REPLACED = 67
    SIBLING_ENDED = 68
    POSITION_CLOSED = 69
