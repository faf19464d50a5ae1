// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import { Desk } from "./base/Desk.sol";
import { ForcedQueue } from "./base/ForcedQueue.sol";
import { Markets } from "./base/Markets.sol";
import { Payments } from "./base/Payments.sol";
import { ICollateralVault } from "./interfaces/ICollateralVault.sol";
import { IExitDesk } from "./interfaces/IExitDesk.sol";
import { IIndexOracle } from "./interfaces/IIndexOracle.sol";
import { ISettlementDesk } from "./interfaces/ISettlement.sol";
import {
    ExitMarket,
    ForcedRequest,
    RequestKind,
    VenuePhase
} from "./interfaces/ISettlementTypes.sol";
import { ExitLib } from "./libraries/ExitLib.sol";
import { FixedPointLib } from "./libraries/FixedPointLib.sol";
import { MarginLib, Position, Terms } from "./libraries/MarginLib.sol";
import { SlotLib } from "./libraries/SlotLib.sol";

/// @title ExitDesk
/// @notice Forced requests and exit mode, to be called through Settlement.
contract ExitDesk is ForcedQueue, Markets, Payments, IExitDesk {
    using FixedPointLib for int256;
    using SafeERC20 for IERC20;

    /// @notice How long a broken adapter holds up the exit of its market.
    uint256 private constant ORACLE_WAIT_S = 1 days;

    /// @notice FORCE-1: nonces of one cancellation: at most two words of storage: its maker's
    /// transaction costs more than serving it does.
    uint256 private constant NONCES_CANCELLED_MAX = 8;

    /// @dev An adapter's answer costs at most this, so that none can hold up an exit.
    uint256 private constant ADAPTER_GAS = 500_000;

    /// @dev And so much goes between the test of what is left and the call: 2,600 for an account
    /// that is cold, the rest for the steps.
    uint256 private constant ADAPTER_CALL_GAS = 5000;

    constructor(address next) Desk(next) { }

    /* FORCED REQUESTS */

    /// @inheritdoc IExitDesk
    function requestCancelAll(uint64 nonceFloor)
        external
        inPhase(VenuePhase.OPEN)
        returns (uint64)
    {
        _expectHolder(msg.sender);
        uint64 current = uint64(SlotLib.nonces(_accounts[msg.sender]));
        if (nonceFloor <= current) revert NonceFloorNotRaised(current, nonceFloor);
        return _request(msg.sender, RequestKind.CANCEL_ALL, 0, nonceFloor, address(0));
    }

    /// @inheritdoc IExitDesk
    function requestCancel(uint64 nonce) external inPhase(VenuePhase.OPEN) returns (uint64) {
        _expectHolder(msg.sender);
        return _request(msg.sender, RequestKind.CANCEL, 0, nonce, address(0));
    }

    /// @inheritdoc IExitDesk
    function requestCancelRange(uint64 firstNonce, uint64 lastNonce)
        external
        inPhase(VenuePhase.OPEN)
        returns (uint64)
    {
        _expectHolder(msg.sender);
        bool isRange = firstNonce <= lastNonce && lastNonce - firstNonce < NONCES_CANCELLED_MAX;
        if (!isRange) revert NonceRangeInvalid(firstNonce, lastNonce);
        address more = address(uint160(lastNonce - firstNonce));
        return _request(msg.sender, RequestKind.CANCEL, 0, firstNonce, more);
    }

    /// @inheritdoc IExitDesk
    function requestReduce(uint32 marketId, uint64 lots)
        external
        inPhase(VenuePhase.OPEN)
        returns (uint64)
    {
        if (lots == 0) revert RequestEmpty();
        if (SlotLib.lots(_positions[marketId][msg.sender]) == 0) {
            revert PositionMissing(marketId, msg.sender);
        }
        return _request(msg.sender, RequestKind.REDUCE, marketId, lots, address(0));
    }

    /// @inheritdoc IExitDesk
    function requestWithdrawal(uint64 amountQuote, address to)
        external
        inPhase(VenuePhase.OPEN)
        returns (uint64)
    {
        if (amountQuote == 0) revert RequestEmpty();
        if (to == address(0)) revert AccountReserved(to);
        _expectHolder(msg.sender);
        return _request(msg.sender, RequestKind.WITHDRAW, 0, amountQuote, to);
    }

    /// @inheritdoc IExitDesk
    function depositToPosition(uint32 marketId, address account_, uint64 amountQuote)
        external
        nonReentrant
        returns (uint64 id)
    {
        id = _requestWith(account_, RequestKind.TOP_UP, marketId, amountQuote, msg.sender);
        TopUps memory waiting = _topUps[marketId][account_];
        if (waiting.lastId == 0) waiting.oldestTimeS = uint40(block.timestamp);
        waiting.lastId = id;
        _topUps[marketId][account_] = waiting;
    }

    /// @notice FORCE-1: who never had anything here has nothing to ask for. The loop is over
    /// markets, and only for who has no free balance.
    function _expectHolder(address account_) private view {
        if (_accounts[account_] != 0) return;
        for (uint256 i = 0; i < _marketIds.length; ++i) {
            if (SlotLib.lots(_positions[_marketIds[i]][account_]) != 0) return;
        }
        revert AccountEmpty(account_);
    }

    /* EXIT */

    /// @inheritdoc IExitDesk
    function enterExitMode() external inPhase(VenuePhase.OPEN) {
        uint256 dueTimeS = type(uint256).max;
        Queue memory queue = _queue;
        if (queue.served != queue.made) {
            dueTimeS = uint256(_requests[queue.served + 1].timeS) + _delays.forcedS;
        }
        uint256 migrationTimeS = _migration.effectiveTimeS;
        if (migrationTimeS != 0 && migrationTimeS < dueTimeS) dueTimeS = migrationTimeS;
        _enterExit(dueTimeS);
    }

    /// @inheritdoc IExitDesk
    function enterExitModeFor(uint64 requestId) external inPhase(VenuePhase.OPEN) {
        ForcedRequest memory r = _requests[requestId];
        if (!r.isAside) revert RequestNotAside(requestId);
        _enterExit(uint256(r.timeS) + _delays.forcedS + _delays.governanceS);
    }

    function _enterExit(uint256 dueTimeS) private {
        if (block.timestamp < dueTimeS) revert ExitNotDue(dueTimeS);
        _status.phase = VenuePhase.EXIT;
        _status.exitTimeS = uint40(block.timestamp);
        emit ExitEntered(uint40(block.timestamp));
    }

    /// @inheritdoc IExitDesk
    function exitPosition(uint32 marketId, address account_)
        external
        nonReentrant
        inPhase(VenuePhase.EXIT)
    {
        if (account_ == INSURANCE) revert AccountReserved(account_);
        if (SlotLib.lots(_positions[marketId][account_]) == 0) {
            revert PositionMissing(marketId, account_);
        }
        _exit(marketId, account_, int256(_exitIndex(marketId)));
    }

    /// @inheritdoc IExitDesk
    function exitPositions(uint32 marketId, address[] calldata accounts)
        external
        nonReentrant
        inPhase(VenuePhase.EXIT)
    {
        int256 indexTicks = int256(_exitIndex(marketId));
        for (uint256 i = 0; i < accounts.length; ++i) {
            if (accounts[i] == INSURANCE) revert AccountReserved(INSURANCE);
            if (SlotLib.lots(_positions[marketId][accounts[i]]) == 0) continue;
            _exit(marketId, accounts[i], indexTicks);
        }
    }

    /// @notice EXIT-3, of a position that has lots.
    function _exit(uint32 marketId, address account_, int256 indexTicks) private {
        (Position memory p, int256 fundingQuote) = _settled(marketId, account_);
        Terms memory t = _terms(marketId);
        (Position memory fund, int256 fundFundingQuote) = _settled(marketId, INSURANCE);

        int256 equityQuote = MarginLib.equity(p, indexTicks, t);
        int256 priceTicks = ExitLib.worsePrice(p, indexTicks, t);
        int256 lots = p.positionLots.abs();
        bool isLong = p.positionLots > 0;
        MarginLib.reduce(p, lots, priceTicks, t);
        ExitLib.takeOn(fund, isLong, lots, priceTicks, t);
        int256 paidQuote = p.collateralQuote.min(_potQuote(marketId)).max(0);
        fund.collateralQuote += p.collateralQuote - paidQuote;
        p.collateralQuote = 0;
        _store(marketId, account_, p, fundingQuote);
        _store(marketId, INSURANCE, fund, fundFundingQuote);
        _credit(account_, uint256(paidQuote));
        uint256 gainQuote = _promise(marketId, account_, equityQuote - paidQuote);
        emit PositionExited(marketId, account_, uint256(paidQuote), gainQuote);
    }

    /// @inheritdoc IExitDesk
    function startExit(uint32 marketId) external inPhase(VenuePhase.EXIT) {
        _exitIndex(marketId);
    }

    /// @inheritdoc IExitDesk
    function claimExitGain(uint32 marketId, address account_)
        external
        nonReentrant
        inPhase(VenuePhase.EXIT)
    {
        ExitMarket storage e = _exitMarkets[marketId];
        _settleMarket(marketId);
        uint256 gainQuote = _exitGains[marketId][account_];
        if (gainQuote == 0) revert ExitGainMissing(marketId, account_);
        uint256 potQuote = e.potQuote;
        uint256 gainsQuote = e.gainsQuote;
        uint256 paidQuote = potQuote < gainsQuote ? gainQuote * potQuote / gainsQuote : gainQuote;
        delete _exitGains[marketId][account_];
        emit ExitGainPaid(marketId, account_, _payFromFund(marketId, account_, paidQuote));
    }

    /// @inheritdoc IExitDesk
    function reclaimRequest(uint64 requestId) external inPhase(VenuePhase.EXIT) {
        ForcedRequest memory r = _requests[requestId];
        if (!_bringsMoney(r.kind)) revert RequestWithoutMoney(requestId);
        delete _requests[requestId];
        _queue.heldQuote -= r.amount;
        _credit(r.account, r.amount);
        emit RequestReclaimed(requestId, r.account, r.amount);
    }

    /// @inheritdoc IExitDesk
    function exitWithdraw(uint256 amountQuote, address to)
        external
        nonReentrant
        inPhase(VenuePhase.EXIT)
    {
        _debit(amountQuote);
        emit ExitWithdrawn(msg.sender, to, amountQuote);
        _totals.custodyQuote -= uint80(_payOut(msg.sender, to, amountQuote, 0));
    }

    /// @inheritdoc IExitDesk
    function migrate(uint256 amountQuote) external nonReentrant inPhase(VenuePhase.EXIT) {
        Migration memory m = _migration;
        if (m.effectiveTimeS == 0 || block.timestamp < m.effectiveTimeS) revert MigrationNotDue();
        _debit(amountQuote);
        _totals.custodyQuote -= uint80(amountQuote);
        emit Migrated(msg.sender, m.successor, amountQuote);
        ICollateralVault vault = ICollateralVault(_status.vault);
        vault.transferOut(address(this), amountQuote);
        vault.TOKEN().forceApprove(m.successor, amountQuote);
        ISettlementDesk(m.successor).depositFor(msg.sender, amountQuote);
    }

    /* INTERNAL */

    /// @notice EXIT-2: the market's one price, fixed by the first who leaves it.
    function _exitIndex(uint32 marketId) private returns (uint256 indexTicks) {
        ExitMarket storage e = _exitMarkets[marketId];
        indexTicks = e.indexTicks;
        if (indexTicks != 0) return indexTicks;
        indexTicks = _lastIndex(marketId);
        e.indexTicks = uint32(indexTicks);
        emit MarketExitStarted(marketId, uint32(indexTicks));
    }

    function _lastIndex(uint32 marketId) private view returns (uint256) {
        Market storage listed = _markets[marketId];
        // EXP-2: what ended has one price for all, its last row's, delivered or not.
        if (_hasEnded(listed.state, listed.params.expiryTimeS)) return listed.state.indexTicks;
        address adapter = _indexAdapters[marketId];
        if (adapter != address(0)) {
            uint256 priceTicks = _adapterPrice(adapter);
            uint256 highest = listed.params.priceTicksMax;
            if (priceTicks != 0) return priceTicks < highest ? priceTicks : highest;
            uint256 fallbackTimeS = _status.exitTimeS + ORACLE_WAIT_S;
            if (block.timestamp < fallbackTimeS) revert ExitOracleDown(marketId, fallbackTimeS);
        }
        uint256 indexTicks = listed.state.indexTicks;
        if (indexTicks == 0) revert ExitPriceMissing(marketId);
        return indexTicks;
    }

    /// @notice What an adapter says, 0 when it fails, whatever it does: has no code, burns gas,
    /// answers less than two words.
    /// @dev The caller must leave enough gas: it could make the adapter fail by giving too little.
    function _adapterPrice(address adapter) private view returns (uint256 priceTicks) {
        bytes memory input = abi.encodeCall(IIndexOracle.indexPrice, ());
        // EIP-150: a call gets at most what is left less a 64th of it.
        if (gasleft() < ADAPTER_GAS * 64 / 63 + ADAPTER_CALL_GAS) {
            revert AdapterGasMissing(gasleft());
        }
        assembly ("memory-safe") {
            mstore(0x00, 0)
            let succeeded :=
                staticcall(ADAPTER_GAS, adapter, add(input, 32), mload(input), 0x00, 0x20)
            if and(succeeded, gt(returndatasize(), 63)) { priceTicks := mload(0x00) }
        }
    }

    /// @notice EXIT-4: notes what a leaver would have had at the market's price beyond what was
    /// paid.
    function _promise(uint32 marketId, address account_, int256 forgoneQuote)
        private
        returns (uint256 gainQuote)
    {
        ExitMarket storage e = _exitMarkets[marketId];
        if (forgoneQuote <= 0) return 0;
        gainQuote = uint256(forgoneQuote);
        e.gainsQuote += uint80(gainQuote);
        _exitGains[marketId][account_] += gainQuote;
    }

    function _debit(uint256 amountQuote) private {
        uint256 word = _accounts[msg.sender];
        uint256 freeQuote = SlotLib.freeQuote(word);
        if (amountQuote == 0) revert AmountOutOfRange(amountQuote);
        if (amountQuote > freeQuote) revert FreeBalanceTooSmall(freeQuote, amountQuote);
        _accounts[msg.sender] = word - amountQuote;
        _totals.freeQuote -= uint80(amountQuote);
    }

    /* VIEWS */

    /// @inheritdoc IExitDesk
    function requestQueue() external view returns (uint64, uint64) {
        return (_queue.served, _queue.made);
    }

    /// @inheritdoc IExitDesk
    function forcedRequest(uint64 id) external view returns (ForcedRequest memory) {
        return _requests[id];
    }

    /// @inheritdoc IExitDesk
    function queueAgeS() external view returns (uint256) {
        return _queueAgeS();
    }

    /// @inheritdoc IExitDesk
    function requestsQuote() external view returns (uint256) {
        return _queue.heldQuote;
    }

    /// @inheritdoc IExitDesk
    function exitMarket(uint32 marketId) external view returns (ExitMarket memory) {
        return _exitMarkets[marketId];
    }

    /// @inheritdoc IExitDesk
    function exitGainQuote(uint32 marketId, address account_) external view returns (uint256) {
        return _exitGains[marketId][account_];
    }
}
