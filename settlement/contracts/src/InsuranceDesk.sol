// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Desk } from "./base/Desk.sol";
import { ForcedQueue } from "./base/ForcedQueue.sol";
import { Markets } from "./base/Markets.sol";
import { IInsuranceDesk } from "./interfaces/IInsuranceDesk.sol";
import { Backer, ExitMarket, RequestKind, VenuePhase } from "./interfaces/ISettlementTypes.sol";
import { ExitLib } from "./libraries/ExitLib.sol";
import { MarginLib, Position } from "./libraries/MarginLib.sol";

/// @title InsuranceDesk
/// @notice The insurance funds and their backers, to be called through Settlement.
contract InsuranceDesk is ForcedQueue, Markets, IInsuranceDesk {
    /// @notice BACK-3: how long after the lock shares can leave.
    uint256 private constant LEAVING_LIFE_S = 3 days;

    constructor(address next) Desk(next) { }

    /* BACKING */

    /// @inheritdoc IInsuranceDesk
    function fundInsurance(uint32 marketId, uint256 amountQuote)
        external
        nonReentrant
        returns (uint64)
    {
        return _requestWith(msg.sender, RequestKind.GIVE, marketId, amountQuote, address(0));
    }

    /// @inheritdoc IInsuranceDesk
    function backFund(uint32 marketId, uint256 amountQuote)
        external
        nonReentrant
        returns (uint64)
    {
        return _requestWith(msg.sender, RequestKind.BACK, marketId, amountQuote, address(0));
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
    function fundEquityQuote(uint32 marketId) external view returns (int256) {
        return _equityQuote(marketId);
    }

    /// @inheritdoc IInsuranceDesk
    function sharesValueQuote(uint32 marketId, uint256 shares) external view returns (uint256) {
        return ExitLib.sharesQuote(shares, _equityQuote(marketId), _fundShares[marketId]);
    }
}
