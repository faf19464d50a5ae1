// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { ISettlementErrors, ISettlementEvents } from "../interfaces/ISettlement.sol";
import { MarketParams, MarketState, MarketTotals } from "../interfaces/ISettlementTypes.sol";

/// @title State of the settlement contract
/// @dev Settlement and SettlementDesk share it: the desk's code runs on Settlement's storage.
abstract contract SettlementStorage is ISettlementEvents, ISettlementErrors {
    struct Market {
        MarketParams params;
        MarketState state;
        MarketTotals totals;
        uint256[] tiers;
    }

    /// @dev One slot.
    struct Progress {
        uint64 sequence;
        uint64 depositSeq;
        uint40 clockTimeS;
        uint32 epoch;
        uint8 threshold;
    }

    /// @dev One slot.
    struct Totals {
        uint80 custodyQuote;
        uint80 freeQuote;
        uint80 feesQuote;
    }

    /// @notice The insurance fund's account (BATCH-4).
    address internal constant INSURANCE = address(1);

    /// @notice Lane value of a nonce that is cancelled or consumed (SIG-1).
    uint256 internal constant NONCE_DEAD = type(uint32).max;

    uint256 internal constant QUOTE_MAX = 1 << 60;

    Progress internal _progress;
    bytes32 internal _lastBatchDigest;
    Totals internal _totals;
    mapping(address account => uint256 word) internal _accounts;
    mapping(uint256 marketId => mapping(address account => uint256 word)) internal _positions;
    mapping(address account => mapping(uint256 group => uint256 lanes)) internal _filledLanes;
    mapping(uint256 marketId => Market) internal _markets;
    mapping(uint256 epoch => mapping(address signer => uint256 number)) internal _attestors;
    mapping(address signer => bool) internal _oracleSigners;
    uint32[] internal _marketIds;
    address internal _owner;
    address internal _pendingOwner;

    /* INTERNAL */

    function _filled(address account_, uint256 nonce) internal view returns (uint256) {
        return uint32(_filledLanes[account_][nonce >> 3] >> ((nonce & 7) << 5));
    }

    function _setFilled(address account_, uint256 nonce, uint256 lots) internal {
        uint256 shift = (nonce & 7) << 5;
        uint256 lanes = _filledLanes[account_][nonce >> 3];
        _filledLanes[account_][nonce >> 3] = lanes & ~(NONCE_DEAD << shift) | lots << shift;
    }
}
