// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { SafeCast } from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import { Deposits } from "./base/Deposits.sol";
import { Desk } from "./base/Desk.sol";
import { ForcedQueue } from "./base/ForcedQueue.sol";
import { Markets } from "./base/Markets.sol";
import { IInsuranceDesk } from "./interfaces/IInsuranceDesk.sol";
import {
    Backer,
    ExitMarket,
    MarketState,
    RequestKind,
    VenuePhase
} from "./interfaces/ISettlementTypes.sol";
import { ExitLib } from "./libraries/ExitLib.sol";
import { MarginLib, Position } from "./libraries/MarginLib.sol";
import { SlotLib } from "./libraries/SlotLib.sol";

/// @title InsuranceDesk
/// @notice The insurance funds and their backers, to be called through Settlement.
contract InsuranceDesk is Deposits, ForcedQueue, Markets, IInsuranceDesk {
    using SafeCast for uint256;

    /// @notice BACK-2: beyond so many shares a unit of equity the fund is wiped out: new shares
    /// would be without number. At first there are 1,000.
    uint256 private constant SHARES_PER_QUOTE_MAX = 1e9;

    /// @notice BACK-2: the engine counts shares in 64 bits with sign.
    uint256 private constant SHARES_MAX = uint256(uint64(type(int64).max));

    /// @notice BACK-3: how long after the lock shares can leave.
    uint256 private constant LEAVING_LIFE_S = 3 days;

    /// @notice BACK-2: the oldest mark that values the lots of a fund.
    uint256 private constant MARK_AGE_MAX_MS = 15 minutes * 1000;

    constructor(address next) Desk(next) { }

    /* BACKING */

    /// @inheritdoc IInsuranceDesk
    function fundInsurance(uint32 marketId, uint256 amountQuote) external nonReentrant {
        _raiseFund(marketId, amountQuote, 0);
    }

    /// @inheritdoc IInsuranceDesk
    function backFund(uint32 marketId, uint256 amountQuote)
        external
        nonReentrant
        returns (uint256 shares)
    {
        _expectFreshMark(marketId);
        int256 equityQuote = _equityQuote(marketId);
        uint256 allShares = _fundShares[marketId] + ExitLib.VIRTUAL_SHARES;
        bool isWiped =
            equityQuote < 0 || allShares > (uint256(equityQuote) + 1) * SHARES_PER_QUOTE_MAX;
        if (isWiped) revert FundInsolvent(marketId, equityQuote);
        shares = amountQuote * allShares / (uint256(equityQuote) + 1);
        if (shares == 0) revert AmountOutOfRange(amountQuote);
        if (_fundShares[marketId] + shares > SHARES_MAX) {
            revert FundInsolvent(marketId, equityQuote);
        }
        _raiseFund(marketId, amountQuote, shares);
        _fundShares[marketId] += shares;
        _backers[marketId][msg.sender].shares += shares.toUint128();
        emit FundBacked(marketId, msg.sender, amountQuote, shares);
    }

    /// @inheritdoc IInsuranceDesk
    function requestUnbacking(uint32 marketId, uint256 shares) external inPhase(VenuePhase.OPEN) {
        Backer storage b = _backers[marketId][msg.sender];
        uint256 unlocked = b.shares - b.lockedShares;
        if (shares == 0 || shares > unlocked) revert SharesTooFew(unlocked, shares);
        uint40 dueTimeS = uint40(block.timestamp + _delays.insuranceLockS);
        b.leavingShares = uint128(shares);
        b.dueTimeS = dueTimeS;
        emit UnbackingRequested(marketId, msg.sender, shares, dueTimeS);
    }

    /// @inheritdoc IInsuranceDesk
    function finishUnbacking(uint32 marketId)
        external
        inPhase(VenuePhase.OPEN)
        returns (uint64 requestId)
    {
        Backer storage b = _backers[marketId][msg.sender];
        uint128 shares = b.leavingShares;
        if (shares == 0) revert UnbackingMissing(marketId, msg.sender);
        if (block.timestamp < b.dueTimeS) revert SharesLocked(b.dueTimeS);
        uint256 endTimeS = b.dueTimeS + LEAVING_LIFE_S;
        if (block.timestamp > endTimeS) revert UnbackingLapsed(endTimeS);
        b.leavingShares = 0;
        b.lockedShares += shares;
        ++_unbackingsWaiting[marketId];
        requestId = _request(msg.sender, RequestKind.UNBACK, marketId, uint64(shares), address(0));
    }

    /// @inheritdoc IInsuranceDesk
    function claimBackingAtExit(uint32 marketId, address backer_)
        external
        nonReentrant
        inPhase(VenuePhase.EXIT)
    {
        _settleMarket(marketId);
        uint256 shares = _backers[marketId][backer_].shares;
        if (shares == 0) revert UnbackingMissing(marketId, backer_);
        delete _backers[marketId][backer_];
        ExitMarket memory e = _exitMarkets[marketId];
        uint256 restQuote = e.potQuote > e.gainsQuote ? e.potQuote - e.gainsQuote : 0;
        uint256 amountQuote = restQuote * shares / (_fundShares[marketId] + ExitLib.VIRTUAL_SHARES);
        emit UnbackingPaidAtExit(marketId, backer_, _payFromFund(marketId, backer_, amountQuote));
    }

    /* INTERNAL */

    function _equityQuote(uint32 marketId) private view returns (int256) {
        (Position memory fund,) = _settled(marketId, INSURANCE);
        int256 markTicks = int256(uint256(_markets[marketId].state.markTicks));
        return MarginLib.equity(fund, markTicks, _terms(marketId));
    }

    /// @notice BACK-2: no shares are made at a mark of long ago.
    function _expectFreshMark(uint32 marketId) private view {
        if (SlotLib.lots(_positions[marketId][INSURANCE]) == 0) return;
        Market storage listed = _markets[marketId];
        MarketState memory state = listed.state;
        if (_hasEnded(state, listed.params.expiryTimeS)) return;
        if (uint256(state.priceTimeMs) + MARK_AGE_MAX_MS < block.timestamp * 1000) {
            revert MarkTooOld(marketId, state.priceTimeMs);
        }
    }

    /* VIEWS */

    /// @inheritdoc IInsuranceDesk
    function backer(uint32 marketId, address account_) external view returns (Backer memory) {
        return _backers[marketId][account_];
    }

    /// @inheritdoc IInsuranceDesk
    function fundShares(uint32 marketId) external view returns (uint256) {
        return _fundShares[marketId];
    }

    /// @inheritdoc IInsuranceDesk
    function isFundBusy(uint32 marketId) external view returns (bool) {
        return _unbackingsWaiting[marketId] != 0;
    }

    /// @inheritdoc IInsuranceDesk
    function fundEquityQuote(uint32 marketId) external view returns (int256) {
        return _equityQuote(marketId);
    }

    /// @inheritdoc IInsuranceDesk
    function sharesValueQuote(uint32 marketId, uint256 shares) external view returns (uint256) {
        return ExitLib.sharesQuote(shares, _equityQuote(marketId), _fundShares[marketId]);
    }
}
