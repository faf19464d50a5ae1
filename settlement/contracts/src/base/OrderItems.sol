// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { StorageSlot } from "@openzeppelin/contracts/utils/StorageSlot.sol";

import { Draft, Fill, FillLib } from "../libraries/FillLib.sol";
import { NonceLib } from "../libraries/NonceLib.sol";
import { OrderWord } from "../libraries/OrderWord.sol";
import { RejectReason, firstReason } from "../libraries/RejectReason.sol";
import { SessionKeyLib } from "../libraries/SessionKeyLib.sol";
import { AccountEntry, Batch, MarketEntry, OrderEntry, PositionEntry } from "./BatchWork.sol";
import { Signatures } from "./Signatures.sol";

/// @title What one signed order refuses, and what a fill of it changes
abstract contract OrderItems is Signatures {
    using NonceLib for uint256;
    using OrderWord for uint256;
    using StorageSlot for bytes32;

    /// @notice Works a fill of a signed order into a draft of its position.
    function _draftOrder(
        Batch memory b,
        Draft memory d,
        OrderEntry memory e,
        uint256 lots,
        uint256 priceTicks,
        uint256 feePpm
    ) internal pure returns (RejectReason) {
        uint256 head = e.head;
        Fill memory f = b.fill;
        PositionEntry memory p = e.holder;
        MarketEntry memory m = p.listing;
        if (b.isRiskPaused && !_reduces(p, head, lots)) return RejectReason.RISK_PAUSED;
        f.isBuy = head.side() == 0;
        f.lots = int256(lots);
        f.priceTicks = int256(priceTicks);
        f.feePpm = int256(feePpm);
        f.marginQuote = int256(head.marginQuote());
        f.qtyLots = int256(head.qtyLots());
        f.filledLots = int256(d.filledLots);
        _begin(d, p);
        return FillLib.applyFill(d, f, int256(uint256(m.state.markTicks)), m.terms);
    }

    function _acceptOrder(Batch memory b, Draft memory d, OrderEntry memory e, uint256 lots)
        internal
    {
        _fill(d, e, lots);
        if (e.authority != SIGNED_BY_OWNER) e.authority.getUint256Slot().value = d.keyWord;
        _accept(b, d, e.holder);
    }

    /// @notice What one order by itself refuses.
    function _orderReason(
        Batch memory b,
        Draft memory d,
        OrderEntry memory e,
        uint256 lots,
        uint256 feePpm
    ) internal view returns (RejectReason) {
        uint256 head = e.head;
        PositionEntry memory p = e.holder;
        AccountEntry memory a = p.owner;
        MarketEntry memory m = p.listing;
        if (!m.isListed) return RejectReason.MARKET_UNKNOWN;
        if (a.account == INSURANCE) return RejectReason.ACCOUNT_UNKNOWN;
        if (e.tail.expiryTimeS() <= b.clockTimeS) return RejectReason.EXPIRED;
        uint256 filled = _readFilled(d, e);
        if (filled == NONCE_DEAD || head.nonce() < a.nonces.floor()) {
            return RejectReason.NONCE_USED;
        }
        uint256 qtyLots = head.qtyLots();
        unchecked {
            // x - 1 >= y: x is 0 or above y.
            if (lots == 0 || qtyLots - 1 >= NONCE_DEAD - 1) return RejectReason.QTY_OUT_OF_RANGE;
            bool isPrice = head.priceTicks() - 1 < m.params.priceTicksMax;
            if (!isPrice) return RejectReason.PRICE_OUT_OF_RANGE;
            if (feePpm > head.feePpmMax()) return RejectReason.FEE_ABOVE_LIMIT;
            if (filled + lots > qtyLots) return RejectReason.OVERFILL;
        }
        if (head.isReduceOnly() && !_reduces(p, head, lots)) return RejectReason.REDUCE_ONLY;
        return RejectReason.NONE;
    }

    /// @notice What a resting order refuses; its side stands in the second draft.
    function _makerReason(Batch memory b, OrderEntry memory maker, uint256 lots, uint256 feePpm)
        internal
        view
        returns (RejectReason)
    {
        RejectReason reason = _orderReason(b, b.draftB, maker, lots, feePpm);
        if (maker.head.timeInForce() == GOOD_TILL_CANCEL) return reason;
        return firstReason(reason, RejectReason.TIME_IN_FORCE);
    }

    /// @notice BATCH-6: whether an order rests at a price: at its own, or post-only at one that its
    /// limit admits, because it slid.
    function _restReason(uint256 head, uint256 priceTicks, uint256 priceTicksMax)
        internal
        pure
        returns (RejectReason)
    {
        if (priceTicks == head.priceTicks()) return RejectReason.NONE;
        if (priceTicks == 0 || priceTicks > priceTicksMax) return RejectReason.PRICE_OUT_OF_RANGE;
        bool isSlid = head.isPostOnly() && _admits(head, priceTicks);
        return isSlid ? RejectReason.NONE : RejectReason.PRICE_NOT_CROSSED;
    }

    /// @notice Whether the limit of an order admits a price.
    function _admits(uint256 head, uint256 priceTicks) internal pure returns (bool) {
        return head.side() == 0 ? priceTicks <= head.priceTicks() : priceTicks >= head.priceTicks();
    }

    /// @notice Whether somebody has signed who may (SIG-3), and within what scope (KEY-1).
    function _signerReason(
        Batch memory b,
        Draft memory d,
        OrderEntry memory e,
        uint256 lots,
        uint256 priceTicks
    ) internal view returns (RejectReason) {
        if (e.authority == SIGNED_BY_OWNER) return RejectReason.NONE;
        if (e.authority == UNSIGNED) return RejectReason.SIGNATURE_INVALID;
        return _keyReason(b, d, e, lots, priceTicks);
    }

    /// @dev The key's word is read anew for each fill: revoked or used up by an item before, it
    /// counts.
    function _keyReason(
        Batch memory b,
        Draft memory d,
        OrderEntry memory e,
        uint256 lots,
        uint256 priceTicks
    ) private view returns (RejectReason) {
        uint256 head = e.head;
        uint256 word = e.authority.getUint256Slot().value;
        PositionEntry memory p = e.holder;
        MarketEntry memory m = p.listing;
        if (SessionKeyLib.expiryTimeS(word) <= b.clockTimeS) {
            return RejectReason.SIGNATURE_INVALID;
        }
        if (!SessionKeyLib.admitsMarket(word, m.state.number)) {
            return RejectReason.SESSION_KEY_SCOPE;
        }
        uint256 markTicks = m.state.markTicks;
        uint256 worthTicks = priceTicks > markTicks ? priceTicks : markTicks;
        uint256 perLotQuote = worthTicks * m.params.quotePerTickLot;
        uint256 leveragedQuote = SessionKeyLib.leverageMax(word) * head.marginQuote();
        if (!_reduces(p, head, lots) && head.qtyLots() * perLotQuote > leveragedQuote) {
            return RejectReason.SESSION_KEY_SCOPE;
        }
        d.keyWord = SessionKeyLib.use(word, lots * perLotQuote, b.clockTimeS);
        return d.keyWord == 0 ? RejectReason.SESSION_KEY_SCOPE : RejectReason.NONE;
    }

    /// @notice What refuses a collateral move because of who has signed it.
    function _topUpReason(Batch memory b, bytes32 authority, uint256 number, int256 amountQuote)
        internal
        view
        returns (RejectReason)
    {
        if (authority == SIGNED_BY_OWNER) return RejectReason.NONE;
        if (authority == UNSIGNED) return RejectReason.SIGNATURE_INVALID;
        uint256 word = authority.getUint256Slot().value;
        if (SessionKeyLib.expiryTimeS(word) <= b.clockTimeS) {
            return RejectReason.SIGNATURE_INVALID;
        }
        bool isInScope = amountQuote > 0 && SessionKeyLib.admitsMarket(word, number);
        return isInScope ? RejectReason.NONE : RejectReason.SESSION_KEY_SCOPE;
    }

    /// @notice What refuses a signed message by itself that is not an order. Its nonce must be
    /// untouched.
    function _moveReason(Batch memory b, AccountEntry memory a, uint256 nonce, uint256 expiryTimeS)
        internal
        view
        returns (RejectReason)
    {
        if (a.account == INSURANCE) return RejectReason.ACCOUNT_UNKNOWN;
        if (expiryTimeS <= b.clockTimeS) return RejectReason.EXPIRED;
        if (nonce < a.nonces.floor() || nonce.isAscending() || _filled(a.account, nonce) != 0) {
            return RejectReason.NONCE_USED;
        }
        return RejectReason.NONE;
    }

    /// @notice Whether a fill closes lots of the position and opens none.
    function _reduces(PositionEntry memory p, uint256 head, uint256 lots)
        private
        pure
        returns (bool)
    {
        int256 held = p.position.positionLots;
        return int256(lots) <= (head.side() == 0 ? -held : held);
    }
}
