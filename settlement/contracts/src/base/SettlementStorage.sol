// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { ISettlementErrors, ISettlementEvents } from "../interfaces/ISettlement.sol";
import {
    Backer,
    Delays,
    ExitMarket,
    ForcedRequest,
    Limits,
    MarketParams,
    MarketState,
    MarketTotals,
    RequestKind,
    VenuePhase
} from "../interfaces/ISettlementTypes.sol";
import { NonceLib } from "../libraries/NonceLib.sol";
import { SessionKeyLib, SessionKeyScope } from "../libraries/SessionKeyLib.sol";

/// @title State of the settlement contract
/// @dev Settlement and its desks share it: their code runs on Settlement's storage.
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

    /// @dev One slot. `riskPausedFromS`: batches that begin then or later open no risk (GOV-4); 0:
    /// all do.
    struct Status {
        VenuePhase phase;
        uint40 riskPausedFromS;
        uint40 exitTimeS;
        address vault;
    }

    /// @dev One slot. `levelQuote` of the leaky bucket as it stood at `levelTimeS` (MONEY-4).
    struct Outflow {
        uint80 waitingQuote;
        uint80 levelQuote;
        uint40 levelTimeS;
        uint56 withdrawals;
    }

    /// @dev Two slots. A withdrawal that waits (MONEY-3).
    struct WaitingWithdrawal {
        address account;
        uint40 dueTimeS;
        bool isStretched;
        address to;
        uint64 amountQuote;
    }

    /// @dev Market parameters that hold from `effectiveTimeS` on (GOV-5); 0: none.
    struct Announcement {
        uint40 effectiveTimeS;
        MarketParams params;
        uint256[] tiers;
    }

    /// @dev One slot.
    struct Migration {
        address successor;
        uint40 effectiveTimeS;
    }

    /// @dev One slot. What relayers are paid (RELAY-1), and what waits for them to take it.
    struct Relaying {
        uint80 potQuote;
        uint80 owedQuote;
        uint32 batchFeeQuote;
        uint32 itemFeeQuote;
        uint32 feeMaxQuote;
    }

    /// @dev One slot. What the observations of a price row must satisfy (ORA-3).
    struct OracleRule {
        uint8 quorum;
        uint24 deviationPpm;
        uint32 spreadMaxMs;
    }

    /// @dev One slot. Requests `served + 1` … `made` wait; `heldQuote`: what they have brought.
    struct Queue {
        uint64 served;
        uint64 made;
        uint80 heldQuote;
    }

    /// @dev One slot. Requests of a caller that wait, and how many of them are withdrawals.
    struct Waiting {
        uint128 requests;
        uint128 withdrawals;
    }

    /// @dev One slot. Requests that were set aside: a list from the oldest to the newest.
    struct Aside {
        uint64 oldest;
        uint64 newest;
        uint64 length;
    }

    /// @dev One slot. Those beside a request in that list; 0: none.
    struct Neighbours {
        uint64 older;
        uint64 newer;
    }

    /// @dev One slot. Top-ups of a position that wait in the queue; 0: none.
    struct TopUps {
        uint64 lastId;
        uint40 oldestTimeS;
    }

    /// @notice The insurance fund's account (BATCH-4).
    address internal constant INSURANCE = address(1);

    /// @notice Lane value of a nonce that is cancelled or consumed (SIG-1).
    uint256 internal constant NONCE_DEAD = NonceLib.DEAD;

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
    Status internal _status;
    Delays internal _delays;
    Limits internal _limits;
    Outflow internal _outflow;
    address internal _guardian;
    address internal _feeRecipient;
    mapping(bytes32 id => uint40 dueTimeS) internal _proposals;
    mapping(uint256 marketId => Announcement) internal _announced;
    Migration internal _migration;
    mapping(uint256 id => WaitingWithdrawal) internal _waiting;
    mapping(address account => mapping(address key => uint256 word)) internal _sessionKeys;
    mapping(address account => mapping(uint256 nonce => uint256 quote)) internal _topUpUsedQuote;
    Relaying internal _relaying;
    mapping(address relayer => uint256 quote) internal _relayerOwedQuote;
    Queue internal _queue;
    mapping(uint256 id => ForcedRequest) internal _requests;
    mapping(uint256 marketId => mapping(address account => TopUps)) internal _topUps;
    mapping(uint256 marketId => ExitMarket) internal _exitMarkets;
    mapping(uint256 marketId => mapping(address account => uint256 quote)) internal _exitGains;
    mapping(uint256 marketId => address adapter) internal _indexAdapters;
    mapping(uint256 marketId => uint256 shares) internal _fundShares;
    mapping(uint256 marketId => mapping(address account => Backer)) internal _backers;
    OracleRule internal _oracleRule;
    mapping(address account => Waiting) internal _requestsWaiting;
    Aside internal _aside;
    mapping(uint256 id => Neighbours) internal _neighbours;

    /* INTERNAL */

    /// @notice CONS-4: what a market holds of the custody: collateral, entry values, funding.
    function _potQuote(uint256 marketId) internal view returns (int256) {
        MarketTotals memory totals = _markets[marketId].totals;
        return int256(totals.positionsQuote) + int256(totals.fundingPoolQuote);
    }

    /// @notice KEY-2: sets what a key of an account may do; a scope without a market revokes it.
    function _setSessionKey(address account_, address key, SessionKeyScope memory scope) internal {
        _sessionKeys[account_][key] =
            scope.markets == 0 ? SessionKeyLib.REVOKED : SessionKeyLib.pack(scope);
        emit SessionKeySet(account_, key, scope);
    }

    /// @notice FORCE-5: whether a request brings money, which the queue holds until it is served.
    function _bringsMoney(RequestKind kind) internal pure returns (bool) {
        return kind == RequestKind.TOP_UP || kind == RequestKind.GIVE || kind == RequestKind.BACK;
    }

    /// @notice FORCE-4: whether a top-up waits for longer than the operator may let it.
    function _isTopUpOverdue(uint256 marketId, address account_, uint256 timeS)
        internal
        view
        returns (bool)
    {
        uint256 oldestTimeS = _topUps[marketId][account_].oldestTimeS;
        return oldestTimeS != 0 && timeS > oldestTimeS + _limits.topUpGraceS;
    }

    /// @notice Age of the head of the forced queue; 0 when there is none, or who made it has its
    /// money back (FORCE-5).
    function _queueAgeS() internal view returns (uint256) {
        if (_queue.served == _queue.made) return 0;
        uint256 timeS = _requests[_queue.served + 1].timeS;
        return timeS == 0 ? 0 : block.timestamp - timeS;
    }

    /// @notice EXP-2: whether the last row of a market was its last one for ever.
    function _hasEnded(MarketState memory state, uint256 expiryTimeS)
        internal
        pure
        returns (bool)
    {
        return state.deliveryTicks != 0
            || (expiryTimeS != 0 && state.priceTimeMs >= expiryTimeS * 1000);
    }

    /// @notice GOV-5: the announced parameters replace the present ones.
    function _applyAnnounced(uint32 marketId) internal {
        Announcement storage announced = _announced[marketId];
        Market storage listed = _markets[marketId];
        listed.params = announced.params;
        listed.tiers = announced.tiers;
        delete _announced[marketId];
        emit MarketParamsChanged(marketId);
    }

    function _filled(address account_, uint256 nonce) internal view returns (uint256) {
        return uint32(_filledLanes[account_][nonce >> 3] >> ((nonce & 7) << 5));
    }
}
