// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Math } from "@openzeppelin/contracts/utils/math/Math.sol";

import { Markets } from "./base/Markets.sol";
import { Payments } from "./base/Payments.sol";
import { IExitDesk } from "./interfaces/IExitDesk.sol";
import { IInsuranceDesk } from "./interfaces/IInsuranceDesk.sol";
import {
    Backer,
    ForcedRequest,
    MarketState,
    RequestKind
} from "./interfaces/ISettlementTypes.sol";
import { ExitLib } from "./libraries/ExitLib.sol";
import { Draft, FillLib } from "./libraries/FillLib.sol";
import { FixedPointLib } from "./libraries/FixedPointLib.sol";
import { MarginLib, Position, Terms } from "./libraries/MarginLib.sol";
import { NonceLib } from "./libraries/NonceLib.sol";
import { RejectReason } from "./libraries/RejectReason.sol";
import { SlotLib } from "./libraries/SlotLib.sol";

/// @notice What a batch knows that storage does not know yet. Positions as storage words.
/// @param potQuote what the market holds (CONS-4)
struct ForcedWork {
    uint64 requestId;
    address account;
    uint256 clockTimeS;
    int256 freeQuote;
    uint256 nonces;
    uint256 marketId;
    uint256 position;
    uint256 fund;
    int256 potQuote;
    MarketState state;
}

/// @notice What a served request changes of it.
/// @param reason why it is not served yet, or NONE
/// @param broughtQuote what the request had brought (FORCE-5)
/// @param waitingQuote what left the free balance for a withdrawal that waits
struct ForcedDone {
    RejectReason reason;
    int256 freeQuote;
    uint256 nonces;
    uint256 position;
    uint256 fund;
    int256 fundingQuote;
    int256 waitingQuote;
    int256 broughtQuote;
}

/// @title ForcedModule
/// @notice Code of Settlement's own: serves the head of the forced queue (FORCE-2, FORCE-3).
/// @dev Not one of the desks: no call from outside reaches it on Settlement's storage.
contract ForcedModule is Markets, Payments {
    using FixedPointLib for int256;
    using Math for uint256;
    using NonceLib for uint256;

    /// @notice BACK-2: beyond so many shares a unit of equity the fund is wiped out: new shares
    /// would be without number. At first there are 1,000.
    uint256 private constant SHARES_PER_QUOTE_MAX = 1e9;

    /// @notice BACK-2: the engine counts shares in 64 bits with sign.
    uint256 private constant SHARES_MAX = uint256(uint64(type(int64).max));

    function serve(ForcedWork calldata w) external returns (ForcedDone memory done) {
        ForcedRequest memory r = _requests[w.requestId];
        done.reason = _headReason(w, r);
        if (done.reason != RejectReason.NONE) return done;
        done.freeQuote = w.freeQuote;
        done.nonces = w.nonces;
        done.position = w.position;
        done.fund = w.fund;
        RejectReason outcome;
        if (r.kind == RequestKind.CANCEL_ALL) {
            if (r.amount > done.nonces.floor()) done.nonces = done.nonces.withFloor(r.amount);
        } else if (r.kind == RequestKind.CANCEL) {
            _cancel(r, done);
        } else if (r.kind == RequestKind.WITHDRAW) {
            outcome = _withdraw(r, done);
        } else if (r.kind == RequestKind.TOP_UP) {
            outcome = _topUp(w, r, done);
        } else if (r.kind == RequestKind.REDUCE) {
            outcome = _reduce(w, r, done);
        } else if (r.kind == RequestKind.UNBACK) {
            outcome = _unback(w, r, done);
        } else {
            outcome = _raiseFund(w, r, done);
        }
        if (!r.isAside) _queue.served = w.requestId;
        if (_bringsMoney(r.kind)) {
            _queue.heldQuote -= r.amount;
            done.broughtQuote = int256(uint256(r.amount));
            if (outcome != RejectReason.NONE) done.freeQuote += done.broughtQuote;
        } else if (_isForLater(outcome)) {
            if (r.isAside) {
                done.reason = outcome;
                return done;
            }
            _setAside(w.requestId);
            emit IExitDesk.RequestSetAside(w.requestId, outcome);
            return done;
        }
        if (r.isAside) _takeBack(w.requestId);
        delete _requests[w.requestId];
        Waiting storage waiting = _requestsWaiting[r.kind == RequestKind.TOP_UP ? r.to : r.account];
        --waiting.requests;
        if (r.kind == RequestKind.WITHDRAW) --waiting.withdrawals;
        emit IExitDesk.RequestServed(w.requestId, outcome);
    }

    /// @notice FORCE-2, CONS-4: what another price, or the next change of the market, may mend.
    function _isForLater(RejectReason outcome) private pure returns (bool) {
        return outcome == RejectReason.NO_PRICE || outcome == RejectReason.PRICE_STALE
            || outcome == RejectReason.PRICE_BAND || outcome == RejectReason.CAPACITY
            || outcome == RejectReason.MARKET_CANNOT_PAY;
    }

    /// @notice CONS-3: adds a request to the list of those that were set aside. Requests come there
    /// in order of their numbers.
    function _setAside(uint64 id) private {
        _requests[id].isAside = true;
        Aside memory a = _aside;
        if (a.length == 0) a.oldest = id;
        else _neighbours[a.newest].newer = id;
        _neighbours[id].older = a.newest;
        a.newest = id;
        ++a.length;
        _aside = a;
    }

    /// @notice Takes a request out of that list.
    function _takeBack(uint64 id) private {
        Aside memory a = _aside;
        Neighbours memory n = _neighbours[id];
        if (n.older == 0) a.oldest = n.newer;
        else _neighbours[n.older].newer = n.newer;
        if (n.newer == 0) a.newest = n.older;
        else _neighbours[n.newer].older = n.older;
        --a.length;
        _aside = a;
        delete _neighbours[id];
    }

    /// @notice FORCE-2: uses nonces up, a word of eight lanes at a time (SIG-1).
    function _cancel(ForcedRequest memory r, ForcedDone memory done) private {
        uint256 nonce = r.amount;
        uint256 end = nonce + uint160(r.to) + 1;
        uint256 last = end - 1;
        if (last.isAscending()) {
            // SIG-5: the highest ends the others.
            bool isDead = done.nonces.filledLots(last) == NONCE_DEAD;
            if (!isDead) done.nonces = done.nonces.withFilled(last, NONCE_DEAD);
            end = NonceLib.ASCENDING_FIRST;
        }
        while (nonce < end) {
            uint256 group = nonce >> 3;
            uint256 stop = ((group + 1) << 3).min(end);
            uint256 lanes = type(uint256).max >> (256 - ((stop - nonce) << 5));
            _filledLanes[r.account][group] |= lanes << ((nonce & 7) << 5);
            nonce = stop;
        }
    }

    /// @notice FORCE-2: only the head, or one that was set aside; of its account, in its market.
    function _headReason(ForcedWork calldata w, ForcedRequest memory r)
        private
        view
        returns (RejectReason)
    {
        Queue memory queue = _queue;
        bool isHead = w.requestId == queue.served + 1 && w.requestId <= queue.made;
        if (!isHead && !r.isAside) return RejectReason.ORDER_UNKNOWN;
        if (r.account != w.account) return RejectReason.ACCOUNT_UNKNOWN;
        if (r.marketId == 0 || r.marketId == w.marketId) return RejectReason.NONE;
        // FORCE-5: the engine may not know yet that a market is listed.
        bool isGift = r.kind == RequestKind.GIVE || r.kind == RequestKind.BACK;
        bool isUnopened = w.marketId == 0 && _markets[r.marketId].state.indexTicks == 0;
        return isGift && isUnopened ? RejectReason.NONE : RejectReason.MARKET_UNKNOWN;
    }

    function _withdraw(ForcedRequest memory r, ForcedDone memory done)
        private
        returns (RejectReason)
    {
        int256 amountQuote = int256(uint256(r.amount)).min(done.freeQuote);
        if (amountQuote == 0) return RejectReason.INSUFFICIENT_FREE_COLLATERAL;
        done.freeQuote -= amountQuote;
        done.waitingQuote = amountQuote;
        _payLater(r.account, r.to, uint256(amountQuote));
        return RejectReason.NONE;
    }

    /// @notice FORCE-4.
    function _topUp(ForcedWork calldata w, ForcedRequest memory r, ForcedDone memory done)
        private
        returns (RejectReason)
    {
        TopUps storage waiting = _topUps[w.marketId][w.account];
        if (waiting.lastId == w.requestId) delete _topUps[w.marketId][w.account];
        // Those behind it are younger: the position is protected early, never late.
        else waiting.oldestTimeS = r.timeS;
        Draft memory d;
        _begin(w, d);
        if (d.position.positionLots == 0) return RejectReason.NO_POSITION;
        d.position.collateralQuote += int256(uint256(r.amount));
        if (!FillLib.fits(d)) return RejectReason.AMOUNT_OUT_OF_RANGE;
        _take(done, d);
        return RejectReason.NONE;
    }

    /// @notice FORCE-3: the insurance fund takes the lots for the liquidation fee, at the worse of
    /// index and mark for the leaver.
    function _reduce(ForcedWork calldata w, ForcedRequest memory r, ForcedDone memory done)
        private
        view
        returns (RejectReason reason)
    {
        Terms memory t = _terms(w.marketId);
        Draft memory d;
        Draft memory fund;
        _begin(w, d);
        int256 lots = int256(uint256(r.amount)).min(d.position.positionLots.abs());
        if (lots == 0) return RejectReason.NO_POSITION;
        if (_isOver(w)) return _deliver(w, d, done, t);
        reason = _priceReason(w);
        if (reason != RejectReason.NONE) return reason;
        bool isLong = d.position.positionLots > 0;
        int256 markTicks = int256(uint256(w.state.markTicks));
        int256 priceTicks = int256(uint256(w.state.indexTicks));
        priceTicks = isLong ? priceTicks.min(markTicks) : priceTicks.max(markTicks);
        reason = FillLib.closeJudged(d, lots, priceTicks, t.feeLiquidationPpm, markTicks, t);
        if (reason == RejectReason.BANKRUPT && !_isLiquidatable(w, d, t)) {
            return RejectReason.PRICE_BAND;
        }
        if (reason != RejectReason.NONE) return reason;
        _beginFund(w, fund, d);
        ExitLib.takeOn(fund.position, isLong, lots, priceTicks, t);
        fund.position.collateralQuote += d.feeQuote;
        return _takeBoth(w, done, d, fund);
    }

    /// @notice MARG-4, of the position as it was: at the gentler of index and mark.
    function _isLiquidatable(ForcedWork calldata w, Draft memory d, Terms memory t)
        private
        pure
        returns (bool)
    {
        _begin(w, d);
        int256 indexTicks = int256(uint256(w.state.indexTicks));
        int256 markTicks = int256(uint256(w.state.markTicks));
        bool isLong = d.position.positionLots > 0;
        int256 priceTicks = isLong ? indexTicks.max(markTicks) : indexTicks.min(markTicks);
        return MarginLib.isLiquidatable(d.position, priceTicks, t);
    }

    /// @notice FORCE-3 in a market that has ended: all lots, as EXP-2 delivers them, however many
    /// the fund holds then: a sweep may wait for others, who wants to leave need not.
    function _deliver(
        ForcedWork calldata w,
        Draft memory d,
        ForcedDone memory done,
        Terms memory t
    ) private pure returns (RejectReason reason) {
        Draft memory fund;
        _beginFund(w, fund, d);
        uint256 ticks = w.state.deliveryTicks;
        if (ticks == 0) ticks = w.state.indexTicks;
        reason = ExitLib.deliver(d, fund.position, int256(ticks), t);
        if (reason != RejectReason.NONE) return reason;
        return _takeBoth(w, done, d, fund);
    }

    function _isOver(ForcedWork calldata w) private view returns (bool) {
        return _hasEnded(w.state, _markets[w.marketId].params.expiryTimeS);
    }

    /// @notice BATCH-3: there is a price and it is fresh.
    function _priceReason(ForcedWork calldata w) private view returns (RejectReason) {
        if (w.state.indexTicks == 0) return RejectReason.NO_PRICE;
        uint256 ageMaxMs = _markets[w.marketId].params.indexAgeMaxMs;
        bool isStale = w.clockTimeS * 1000 > uint256(w.state.priceTimeMs) + ageMaxMs;
        return isStale ? RejectReason.PRICE_STALE : RejectReason.NONE;
    }

    /// @notice BACK-4: what a backer's shares are worth now leaves as far as the fund keeps its
    /// requirement, and the market has it.
    function _unback(ForcedWork calldata w, ForcedRequest memory r, ForcedDone memory done)
        private
        returns (RejectReason)
    {
        Terms memory t = _terms(w.marketId);
        Position memory fund;
        SlotLib.unpackPosition(w.fund, fund);
        if (fund.positionLots != 0 && !_isOver(w)) {
            RejectReason reason = _priceReason(w);
            if (reason != RejectReason.NONE) return reason;
        }
        int256 fundingQuote = MarginLib.settleFunding(fund, w.state.fundingIndexE6);
        int256 markTicks = int256(uint256(w.state.markTicks));
        int256 equityQuote = MarginLib.equity(fund, markTicks, t);
        int256 spareQuote = equityQuote - MarginLib.initial(fund.positionLots, markTicks, t);
        uint256 worthQuote = ExitLib.sharesQuote(r.amount, equityQuote, _fundShares[w.marketId]);
        uint256 paidQuote = uint256(
            int256(worthQuote).min(spareQuote).min(fund.collateralQuote).min(w.potQuote).max(0)
        );

        Backer storage backer = _backers[w.marketId][w.account];
        backer.lockedShares -= r.amount;
        if (paidQuote == 0) return RejectReason.FUND_CANNOT_CARRY;
        uint256 burned = Math.ceilDiv(r.amount * paidQuote, worthQuote);
        backer.shares -= uint128(burned);
        _fundShares[w.marketId] -= burned;
        fund.collateralQuote -= int256(paidQuote);
        done.freeQuote += int256(paidQuote);
        done.fund = SlotLib.packPosition(fund);
        done.fundingQuote = fundingQuote;
        return RejectReason.NONE;
    }

    /// @notice FORCE-5: a gift raises the fund's collateral, of a backer for shares.
    function _raiseFund(ForcedWork calldata w, ForcedRequest memory r, ForcedDone memory done)
        private
        returns (RejectReason reason)
    {
        if (w.marketId == 0) return RejectReason.MARKET_UNKNOWN;
        uint256 shares = 0;
        if (r.kind == RequestKind.BACK) (reason, shares) = _sharesFor(w, r.amount);
        if (reason != RejectReason.NONE) return reason;
        int256 raisedQuote = SlotLib.collateralQuote(w.fund) + int256(uint256(r.amount));
        if (raisedQuote > int256(QUOTE_MAX)) return RejectReason.AMOUNT_OUT_OF_RANGE;
        done.fund = SlotLib.addCollateral(w.fund, int256(uint256(r.amount)));
        if (shares != 0) {
            _fundShares[w.marketId] += shares;
            _backers[w.marketId][r.account].shares += uint128(shares);
        }
        emit IInsuranceDesk.InsuranceFunded(uint32(w.marketId), r.account, r.amount, shares);
    }

    /// @notice BACK-2: shares for what a backer brings, at the mark.
    function _sharesFor(ForcedWork calldata w, uint256 amountQuote)
        private
        view
        returns (RejectReason reason, uint256 shares)
    {
        Position memory fund;
        SlotLib.unpackPosition(w.fund, fund);
        if (fund.positionLots != 0 && !_isOver(w)) reason = _priceReason(w);
        if (reason != RejectReason.NONE) return (reason, 0);
        MarginLib.settleFunding(fund, w.state.fundingIndexE6);
        int256 equityQuote =
            MarginLib.equity(fund, int256(uint256(w.state.markTicks)), _terms(w.marketId));
        if (equityQuote < 0) return (RejectReason.FUND_CANNOT_CARRY, 0);
        uint256 allShares = _fundShares[w.marketId] + ExitLib.VIRTUAL_SHARES;
        uint256 perShares = uint256(equityQuote) + 1;
        if (allShares > perShares * SHARES_PER_QUOTE_MAX) {
            return (RejectReason.FUND_CANNOT_CARRY, 0);
        }
        shares = amountQuote * allShares / perShares;
        bool isCounted = shares != 0 && _fundShares[w.marketId] + shares <= SHARES_MAX;
        if (!isCounted) return (RejectReason.AMOUNT_OUT_OF_RANGE, 0);
    }

    function _begin(ForcedWork calldata w, Draft memory d) private pure {
        SlotLib.unpackPosition(w.position, d.position);
        d.freeQuote = w.freeQuote;
        d.fundingQuote = MarginLib.settleFunding(d.position, w.state.fundingIndexE6);
    }

    /// @notice Opens the fund's side; its draft counts the funding of both.
    function _beginFund(ForcedWork calldata w, Draft memory fund, Draft memory d) private pure {
        SlotLib.unpackPosition(w.fund, fund.position);
        fund.fundingQuote =
            MarginLib.settleFunding(fund.position, w.state.fundingIndexE6) + d.fundingQuote;
    }

    function _takeBoth(
        ForcedWork calldata w,
        ForcedDone memory done,
        Draft memory d,
        Draft memory fund
    ) private pure returns (RejectReason) {
        if (!FillLib.fits(d)) return RejectReason.AMOUNT_OUT_OF_RANGE;
        if (!FillLib.fits(fund)) return RejectReason.CAPACITY;
        // The fee stays in the market: it is the fund's.
        if (d.freeQuote - w.freeQuote > w.potQuote) return RejectReason.MARKET_CANNOT_PAY;
        _take(done, d);
        done.fund = SlotLib.packPosition(fund.position);
        done.fundingQuote = fund.fundingQuote;
        return RejectReason.NONE;
    }

    function _take(ForcedDone memory done, Draft memory d) private pure {
        done.position = SlotLib.packPosition(d.position);
        done.freeQuote = d.freeQuote;
        done.fundingQuote = d.fundingQuote;
    }
}
