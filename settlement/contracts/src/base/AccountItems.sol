// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { StorageSlot } from "@openzeppelin/contracts/utils/StorageSlot.sol";

import { BatchLib } from "../libraries/BatchLib.sol";
import { Draft, FillLib } from "../libraries/FillLib.sol";
import { MarginLib } from "../libraries/MarginLib.sol";
import { OrderLib } from "../libraries/OrderLib.sol";
import { RejectReason } from "../libraries/RejectReason.sol";
import { SessionKeyLib, SessionKeyScope } from "../libraries/SessionKeyLib.sol";
import { AccountEntry, Batch, MarketEntry, PositionEntry } from "./BatchWork.sol";
import { LiquidationItems } from "./LiquidationItems.sol";

/// @title Items by which an owner's signature works ahead: session keys, automatic top-ups
abstract contract AccountItems is LiquidationItems {
    using StorageSlot for bytes32;

    /// @notice KEY-2: sets what a session key may do; a scope without a market revokes it.
    function _judgeSessionKey(Batch memory b, bytes calldata items, uint256 offset)
        internal
        returns (RejectReason reason)
    {
        uint256 word = BatchLib.wordAt(items, offset);
        AccountEntry memory a = b.accounts[_accountIndex(b, uint16(word >> 232))];
        address key = address(uint160(word >> 72));
        SessionKeyScope memory scope;
        scope.markets = uint64(word >> 8);
        word = BatchLib.wordAt(items, offset + 31);
        scope.leverageMax = uint8(word >> 248);
        bool reduceOnly = uint8(word >> 240) != 0;
        scope.dayNotionalMaxQuote = uint64(word >> 176);
        uint256 nonce = uint64(word >> 112);
        scope.expiryTimeS = uint40(word >> 72);
        reason = _moveReason(b, a, nonce, scope.expiryTimeS);
        if (reason != RejectReason.NONE) return reason;
        bytes32 hash = OrderLib.sessionKeyHash(a.account, key, scope, reduceOnly, nonce);
        if (_authorityOf(b, a.account, hash, items, offset + 54) != SIGNED_BY_OWNER) {
            return RejectReason.SIGNATURE_INVALID;
        }
        if (_sessionKeys[a.account][key] == SessionKeyLib.REVOKED) {
            return RejectReason.SESSION_KEY_SCOPE;
        }
        if (reduceOnly) scope.leverageMax = 0;
        _setLane(_lanesOf(a, nonce), nonce, NONCE_DEAD);
        _setSessionKey(a.account, key, scope);
    }

    /// @notice TOPUP-1: moves collateral into a liquidatable position, as its owner ordered once.
    function _judgeAutoTopUp(Batch memory b, bytes calldata items, uint256 offset)
        internal
        returns (RejectReason reason)
    {
        uint256 word = BatchLib.wordAt(items, offset);
        uint256 index = _positionIndex(b, uint16(word >> 232));
        uint256 amountQuote = uint64(word >> 168);
        uint256 capQuote = uint64(word >> 104);
        uint256 nonce = uint64(word >> 40);
        uint256 expiryTimeS = uint40(word);
        PositionEntry memory e = b.positions[index];
        AccountEntry memory a = e.owner;
        MarketEntry memory m = e.listing;
        if (!m.isListed) return RejectReason.MARKET_UNKNOWN;
        reason = _moveReason(b, a, nonce, expiryTimeS);
        if (reason != RejectReason.NONE) return reason;
        reason = _priceReason(b, m);
        if (reason != RejectReason.NONE) return reason;

        Draft memory d = b.draftA;
        _begin(d, e);
        int256 judgedTicks = _gentlerTicks(m, d.position);
        if (!MarginLib.isLiquidatable(d.position, judgedTicks, m.terms)) {
            return RejectReason.NOT_LIQUIDATABLE;
        }
        int256 neededQuote = MarginLib.initial(d.position.positionLots, judgedTicks, m.terms)
            - MarginLib.equity(d.position, judgedTicks, m.terms);
        uint256 usedQuote = _topUpUsedQuote[a.account][nonce] + amountQuote;
        bool isInRange =
            amountQuote != 0 && usedQuote <= capQuote && int256(amountQuote) <= neededQuote;
        reason = FillLib.moveCollateral(d, int256(amountQuote), _markOf(m), m.terms);
        if (reason != RejectReason.NONE) return reason;
        if (MarginLib.isLiquidatable(d.position, judgedTicks, m.terms)) {
            return RejectReason.INSUFFICIENT_MARGIN;
        }
        bytes32 hash = OrderLib.autoTopUpHash(a.account, m.marketId, capQuote, nonce, expiryTimeS);
        if (_authorityOf(b, a.account, hash, items, offset + 32) != SIGNED_BY_OWNER) {
            return RejectReason.SIGNATURE_INVALID;
        }
        if (!isInRange || !FillLib.fits(d)) return RejectReason.AMOUNT_OUT_OF_RANGE;
        _topUpUsedQuote[a.account][nonce] = usedQuote;
        m.potQuote += int256(amountQuote);
        _accept(b, d, e);
    }
}
