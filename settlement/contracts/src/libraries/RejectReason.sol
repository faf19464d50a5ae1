// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Why an item of a batch was refused
/// @notice The one list of engine, wire and contract (specification, section 6), in order of
/// precedence: the first that applies is reported. `NONE` is acceptance.
enum RejectReason {
    NONE,
    MARKET_UNKNOWN,
    ACCOUNT_UNKNOWN,
    MARKET_STATE,
    EXPIRED,
    NONCE_USED,
    QTY_OUT_OF_RANGE,
    PRICE_OUT_OF_RANGE,
    FEE_ABOVE_LIMIT,
    ORDER_UNKNOWN,
    SELF_TRADE,
    SIDE_MISMATCH,
    PRICE_NOT_CROSSED,
    TIME_IN_FORCE,
    POST_ONLY_WOULD_TAKE,
    FOK_NOT_FILLABLE,
    OVERFILL,
    REDUCE_ONLY,
    TRIGGER_NOT_MET,
    NO_PRICE,
    PRICE_STALE,
    INSUFFICIENT_FREE_COLLATERAL,
    INSUFFICIENT_MARGIN,
    POSITION_LIMIT,
    BANKRUPT,
    NOT_LIQUIDATABLE,
    LIQUIDATION_PRICE,
    LIQUIDATION_TOO_LARGE,
    FUND_CANNOT_CARRY,
    FUND_CAN_CARRY,
    ADL_ORDER,
    NO_POSITION,
    SIGNATURE_INVALID,
    AMOUNT_OUT_OF_RANGE,
    PRICE_BAND,
    FUNDING_STEP,
    CAPACITY,
    FROZEN,
    MIN_QTY_NOT_MET,
    OPEN_INTEREST_LIMIT,
    UNFILLED_MISMATCH,
    GROUP_REJECTED,
    INSTRUCTIONS_INVALID,
    SESSION_KEY_SCOPE,
    PRICE_DEVIATION,
    PARAMETERS_NOT_DUE,
    RISK_PAUSED,
    OUTFLOW_LIMIT,
    LEVERAGE,
    EXITING,
    MARKET_CANNOT_PAY
}

/// @notice The one of two verdicts that has precedence.
function firstReason(RejectReason x, RejectReason y) pure returns (RejectReason) {
    if (y == RejectReason.NONE) return x;
    return x == RejectReason.NONE || y < x ? y : x;
}
