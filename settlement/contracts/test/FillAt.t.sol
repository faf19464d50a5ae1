// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { BatchLib } from "../src/libraries/BatchLib.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { Order } from "./utils/OrderTwin.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice BATCH-6: fills at a price that the item names, of auctions and of makers that slid.
contract FillAtTest is SettlementTest {
    uint8 private constant SLID = 0;
    uint8 private constant AUCTION = 1;

    function setUp() public override {
        super.setUp();
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        settleAccepted(p);
    }

    /* AUCTIONS */

    function test_auction_anyPriceThatBothAdmit() public {
        Plan memory p = plan();
        uint16 bid = addOrder(p, ALICE, order(ALICE, BUY, 1010, 30, 100_000));
        uint16 ask = addOrder(p, BOB, order(BOB, SELL, 990, 30, 100_000));
        addFillAt(p, bid, ask, 10, 990, AUCTION);
        addFillAt(p, bid, ask, 10, 1003, AUCTION);
        addFillAt(p, bid, ask, 10, 1010, AUCTION);
        settleAccepted(p);
        assertEq(position(ALICE).entryValueQuote, 100 * (990 + 1003 + 1010), "entry value");
    }

    /// @dev 0.02 % of 10 lots at 1000 (100,000 quote) from either side.
    function test_auction_bothPayTheMakersFee() public {
        uint256 fees = settlement.feesQuote();
        _settleAt(_resting(BUY, 1000), _resting(SELL, 1000), 1000, AUCTION);
        assertEq(settlement.feesQuote() - fees, 2 * 20, "fees");
    }

    /// @dev Neither has taken: post-only and a trigger are not asked.
    function test_auction_asksNeitherPostOnlyNorTriggers() public {
        Order memory bid = _resting(BUY, 1000);
        bid.postOnly = true;
        Order memory ask = _resting(SELL, 1000);
        (ask.triggerKind, ask.triggerPriceTicks) = (1, 2000);
        _settleAt(bid, ask, 1000, AUCTION);
    }

    function test_refused_auction() public {
        _refuseAt(
            _resting(BUY, 1100),
            _resting(SELL, 1001),
            1000,
            AUCTION,
            RejectReason.PRICE_NOT_CROSSED
        );
        _refuseAt(
            _resting(BUY, 999), _resting(SELL, 900), 1000, AUCTION, RejectReason.PRICE_NOT_CROSSED
        );
        _refuseAt(_resting(BUY, 1100), _resting(SELL, 900), 1051, AUCTION, RejectReason.PRICE_BAND);
        _refuseAt(_resting(BUY, 1100), _resting(SELL, 900), 949, AUCTION, RejectReason.PRICE_BAND);
        _refuseAt(
            _resting(SELL, 900), _resting(BUY, 1100), 1000, AUCTION, RejectReason.SIDE_MISMATCH
        );
        Order memory immediate = _resting(BUY, 1000);
        immediate.timeInForce = 1;
        _refuseAt(immediate, _resting(SELL, 1000), 1000, AUCTION, RejectReason.TIME_IN_FORCE);
        immediate = _resting(SELL, 1000);
        immediate.timeInForce = 1;
        _refuseAt(_resting(BUY, 1000), immediate, 1000, AUCTION, RejectReason.TIME_IN_FORCE);
    }

    /* ORDERS THAT SLID */

    /// @dev Signed to buy at 1010, it rests at 998, as it must not take at 999.
    function test_slid_atThePriceAtWhichItRests() public {
        _settleAt(_resting(SELL, 900), _postOnly(BUY, 1010), 998, SLID);
        assertEq(position(ALICE).entryValueQuote, 100 * 998, "the maker's entry");
        _settleAt(_resting(BUY, 1100), _postOnly(SELL, 990), 1001, SLID);
        assertEq(position(ALICE).entryValueQuote, 100 * (998 + 1001), "the taker's entry");
    }

    /// @dev 0.05 % of 10 lots at 998 from the taker, 0.02 % from the maker, rounded up.
    function test_slid_feesAreThoseOfAFill() public {
        uint256 fees = settlement.feesQuote();
        _settleAt(_resting(SELL, 900), _postOnly(BUY, 1010), 998, SLID);
        assertEq(settlement.feesQuote() - fees, 50 + 20, "fees");
    }

    function test_refused_slid() public {
        _refuseAt(
            _resting(SELL, 900), _resting(BUY, 1010), 998, SLID, RejectReason.PRICE_NOT_CROSSED
        );
        _refuseAt(
            _resting(SELL, 999), _postOnly(BUY, 1010), 998, SLID, RejectReason.PRICE_NOT_CROSSED
        );
        _refuseAt(
            _resting(SELL, 900), _postOnly(BUY, 997), 998, SLID, RejectReason.PRICE_NOT_CROSSED
        );
        _refuseAt(
            _postOnly(SELL, 900),
            _postOnly(BUY, 1010),
            998,
            SLID,
            RejectReason.POST_ONLY_WOULD_TAKE
        );
        _refuseAt(_resting(BUY, 999), _postOnly(BUY, 1010), 998, SLID, RejectReason.SIDE_MISMATCH);
        Order memory triggered = _resting(SELL, 900);
        (triggered.timeInForce, triggered.triggerKind, triggered.triggerPriceTicks) = (1, 1, 1001);
        _refuseAt(triggered, _postOnly(BUY, 1010), 998, SLID, RejectReason.TRIGGER_NOT_MET);
    }

    /// @dev BATCH-5: kinds 3 and 4 are the matcher's own, whatever the mark is.
    function test_triggersOfTheMatcherAreNotJudged() public {
        for (uint8 kind = 3; kind <= 4; ++kind) {
            Order memory taker = _resting(SELL, 900);
            (taker.timeInForce, taker.triggerKind) = (1, kind);
            taker.triggerPriceTicks = kind == 3 ? 2000 : 1;
            _settleAt(taker, _postOnly(BUY, 1010), 998, SLID);
        }
    }

    function test_RevertWhen_theKindOfTheFillIsUnknown() public {
        Plan memory p = plan();
        uint16 bid = addOrder(p, ALICE, _resting(BUY, 1000));
        addFillAt(p, bid, addOrder(p, BOB, _resting(SELL, 1000)), 10, 1000, 2);
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.expectPartialRevert(BatchLib.BatchMalformed.selector);
        settlement.settle(payload, signatures);
    }

    /* LIQUIDATIONS AGAINST A MAKER THAT SLID */

    /// @dev Signed to buy at 960, it rests at 935, and the fill is at that price.
    function test_liquidation_atThePriceAtWhichTheMakerRests() public {
        _long();
        Plan memory p = plan();
        addPrice(p, 935, 935);
        Order memory o = order(CAROL, BUY, 960, 100, 300_000);
        o.postOnly = true;
        uint16 maker = addOrder(p, CAROL, o);
        addAt(p, 17, addPosition(p, vm.addr(ALICE)), maker, 1, 935);
        settleAccepted(p);
        assertEq(position(CAROL).entryValueQuote, 935 * 10, "at 935");
    }

    function test_refused_liquidationAtAPriceOfItsOwn() public {
        _long();
        _refuseLiquidation(false, 935, RejectReason.PRICE_NOT_CROSSED);
        _refuseLiquidation(true, 961, RejectReason.PRICE_NOT_CROSSED);
        _refuseLiquidation(true, 0, RejectReason.PRICE_OUT_OF_RANGE);
        _refuseLiquidation(true, 890, RejectReason.LIQUIDATION_PRICE);
    }

    function test_fundFill_atThePriceAtWhichTheMakerRests() public {
        _long();
        giveNow(1_000_000);
        Plan memory p = plan();
        addPrice(p, 900, 900);
        addTakeover(p, addPosition(p, vm.addr(ALICE)), addPosition(p, FUND), 100);
        Order memory o = order(CAROL, BUY, 990, 100, 300_000);
        o.postOnly = true;
        addAt(p, 18, addPosition(p, FUND), addOrder(p, CAROL, o), 40, 890);
        settleAccepted(p);
        assertEq(position(CAROL).entryValueQuote, 890 * 40 * 10, "at 890");
        assertEqInt(settlement.position(MARKET, FUND).positionLots, 60, "the rest");
    }

    /* HELPERS */

    function _resting(uint8 side, uint64 priceTicks) private returns (Order memory) {
        return order(side == BUY ? ALICE : BOB, side, priceTicks, 10, 20_000);
    }

    function _postOnly(uint8 side, uint64 priceTicks) private returns (Order memory o) {
        o = order(side == BUY ? ALICE : BOB, side, priceTicks, 10, 20_000);
        o.postOnly = true;
    }

    function _planAt(Order memory taker, Order memory maker, uint32 priceTicks, uint8 auction)
        private
        returns (Plan memory p)
    {
        if (taker.account == maker.account) {
            maker = order(CAROL, maker.side, maker.priceTicks, 10, 20_000);
            maker.postOnly = true;
        }
        p = plan();
        uint16 first = addOrder(p, _keyOf(taker), taker);
        addFillAt(p, first, addOrder(p, _keyOf(maker), maker), 10, priceTicks, auction);
    }

    function _settleAt(Order memory taker, Order memory maker, uint32 priceTicks, uint8 auction)
        private
    {
        settleAccepted(_planAt(taker, maker, priceTicks, auction));
    }

    function _refuseAt(
        Order memory taker,
        Order memory maker,
        uint32 priceTicks,
        uint8 auction,
        RejectReason reason
    ) private {
        settleRejected(_planAt(taker, maker, priceTicks, auction), reason);
    }

    function _keyOf(Order memory o) private pure returns (uint256) {
        if (o.account == vm.addr(ALICE)) return ALICE;
        return o.account == vm.addr(BOB) ? BOB : CAROL;
    }

    /// @dev Alice is long 100 lots from 1000 with 109,500: her bankruptcy price is 891.
    function _long() private {
        Plan memory p = plan();
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 100, 110_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 100, 300_000)), 100);
        settleAccepted(p);
    }

    function _refuseLiquidation(bool isPostOnly, uint32 priceTicks, RejectReason reason) private {
        Plan memory p = plan();
        addPrice(p, 935, 935);
        Order memory o = order(CAROL, BUY, 960, 100, 300_000);
        o.postOnly = isPostOnly;
        uint16 maker = addOrder(p, CAROL, o);
        addAt(p, 17, addPosition(p, vm.addr(ALICE)), maker, 1, priceTicks);
        settleRejected(p, reason);
    }

    function addFillAt(
        Plan memory p,
        uint16 taker,
        uint16 maker,
        uint32 lots,
        uint32 priceTicks,
        uint8 auction
    ) private pure {
        addItem(p, abi.encodePacked(uint8(16), taker, maker, lots, priceTicks, auction));
    }

    function addAt(
        Plan memory p,
        uint8 opcode,
        uint16 position_,
        uint16 maker,
        uint32 lots,
        uint32 priceTicks
    ) private pure {
        addItem(p, abi.encodePacked(opcode, position_, maker, lots, priceTicks));
    }
}
