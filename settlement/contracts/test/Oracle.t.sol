// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IGovernanceDesk } from "../src/interfaces/IGovernanceDesk.sol";
import { IIndexOracle } from "../src/interfaces/IIndexOracle.sol";
import { ISettlementErrors } from "../src/interfaces/ISettlement.sol";
import { FeedOracle } from "../src/oracles/FeedOracle.sol";
import { IAggregatorV3 } from "../src/oracles/IAggregatorV3.sol";
import { PythOracle } from "../src/oracles/PythOracle.sol";
import { StubFeed, StubPyth } from "./mocks/Feeds.sol";
import { StubOracle } from "./mocks/StubOracle.sol";
import { SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice ORACLE-1 … ORACLE-4: adapters of feeds, with the feeds' exact interfaces.
contract OracleTest is SettlementTest {
    StubFeed private _feed;
    StubFeed private _sequencer;
    StubPyth private _pyth;
    FeedOracle private _feedOracle;
    PythOracle private _pythOracle;

    /// @dev 8 decimals, 100 ticks to the dollar.
    function setUp() public override {
        super.setUp();
        _feed = new StubFeed(8);
        _sequencer = new StubFeed(0);
        _pyth = new StubPyth();
        _feedOracle = new FeedOracle(_feed, 3600, 100, _sequencer, 1800);
        _pythOracle = new PythOracle(_pyth, "BTC", 60, 10_000, 100, _sequencer, 1800);
        _sequencer.set(0, block.timestamp - 1800, 0);
        _feed.set(6_000_012_345_678, block.timestamp, block.timestamp);
        _pyth.set(6_000_012, 100, -2, block.timestamp);
    }

    /* FEEDS */

    /// @dev ORACLE-2.
    function test_feedOracle_readsTicks() public view {
        (uint256 ticks, uint256 timeS) = _feedOracle.indexPrice();
        assertEq(ticks, 6_000_012, "floor of 60,000.12345678 at 100 ticks");
        assertEq(timeS, block.timestamp, "time");
    }

    function test_RevertWhen_feedIsStaleOrInvalid() public {
        _feed.set(1e8, 0, block.timestamp - 3601);
        vm.expectRevert(
            abi.encodeWithSelector(IIndexOracle.PriceTooOld.selector, block.timestamp - 3601)
        );
        _feedOracle.indexPrice();
        _feed.set(1e8, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IIndexOracle.PriceTooOld.selector, 0));
        _feedOracle.indexPrice();
        _feed.set(0, 0, block.timestamp);
        vm.expectRevert(abi.encodeWithSelector(IIndexOracle.PriceInvalid.selector, int256(0)));
        _feedOracle.indexPrice();
        _feed.set(-1, 0, block.timestamp);
        vm.expectRevert(abi.encodeWithSelector(IIndexOracle.PriceInvalid.selector, int256(-1)));
        _feedOracle.indexPrice();
        _feed.set(1e8, 0, block.timestamp);
        _feed.setAnsweredInRound(6);
        vm.expectRevert(abi.encodeWithSelector(IIndexOracle.PriceTooOld.selector, block.timestamp));
        _feedOracle.indexPrice();
    }

    /* PYTH */

    /// @dev ORACLE-3.
    function test_pythOracle_readsTicks() public {
        (uint256 ticks,) = _pythOracle.indexPrice();
        assertEq(ticks, 6_000_012, "exponent -2, 100 ticks");
        _pyth.set(6, 0, 4, block.timestamp);
        (ticks,) = _pythOracle.indexPrice();
        assertEq(ticks, 6_000_000, "a positive exponent");
        _pyth.set(6_000_012_999, 0, -5, block.timestamp);
        (ticks,) = _pythOracle.indexPrice();
        assertEq(ticks, 6_000_012, "rounds down");
    }

    function test_RevertWhen_pythIsStaleUncertainOrInvalid() public {
        _pyth.set(6_000_012, 0, -2, block.timestamp - 61);
        vm.expectRevert(StubPyth.StalePrice.selector);
        _pythOracle.indexPrice();
        _pyth.set(1_000_000, 10_001, -2, block.timestamp);
        vm.expectRevert(
            abi.encodeWithSelector(IIndexOracle.PriceUncertain.selector, 10_001, 1_000_000)
        );
        _pythOracle.indexPrice();
        _pyth.set(0, 0, -2, block.timestamp);
        vm.expectRevert(abi.encodeWithSelector(IIndexOracle.PriceInvalid.selector, int256(0)));
        _pythOracle.indexPrice();
        _pyth.set(1, 0, -19, block.timestamp);
        vm.expectRevert(abi.encodeWithSelector(IIndexOracle.PriceInvalid.selector, int256(1)));
        _pythOracle.indexPrice();
        _pyth.set(1, 0, 19, block.timestamp);
        vm.expectRevert(abi.encodeWithSelector(IIndexOracle.PriceInvalid.selector, int256(1)));
        _pythOracle.indexPrice();
    }

    /* SEQUENCER */

    /// @dev ORACLE-4: no price while the sequencer is down, nor within the grace period after.
    function test_RevertWhen_sequencerIsDownOrJustUp() public {
        _sequencer.set(1, block.timestamp - 5000, 0);
        vm.expectRevert(IIndexOracle.SequencerDown.selector);
        _feedOracle.indexPrice();
        vm.expectRevert(IIndexOracle.SequencerDown.selector);
        _pythOracle.indexPrice();
        _sequencer.set(0, 0, 0);
        vm.expectRevert(IIndexOracle.SequencerDown.selector);
        _feedOracle.indexPrice();
        _sequencer.set(0, block.timestamp - 1799, 0);
        vm.expectRevert(
            abi.encodeWithSelector(IIndexOracle.SequencerGrace.selector, block.timestamp + 1)
        );
        _feedOracle.indexPrice();
    }

    function test_oracle_withoutSequencerFeedAsksNothing() public {
        FeedOracle plain = new FeedOracle(_feed, 3600, 100, IAggregatorV3(address(0)), 0);
        (uint256 ticks,) = plain.indexPrice();
        assertEq(ticks, 6_000_012, "price");
    }

    /* ADAPTERS */

    /// @dev ORACLE-1: an adapter without a sensible price now is no adapter.
    function test_RevertWhen_adapterHasNoSensiblePrice() public {
        _refused(
            1_000_001,
            abi.encodeWithSelector(IGovernanceDesk.AdapterPriceInvalid.selector, 1_000_001)
        );
        _refused(0, abi.encodeWithSelector(IIndexOracle.PriceTooOld.selector, 0));
        bytes memory call = abi.encodeCall(settlement.setIndexAdapter, (9, address(0)));
        settlement.propose(call);
        vm.warp(block.timestamp + 3 days);
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.MarketUnknown.selector, 9));
        settlement.execute(call);
    }

    function _refused(uint256 priceTicks, bytes memory refusal) private {
        StubOracle oracle = new StubOracle(priceTicks);
        bytes memory call = abi.encodeCall(settlement.setIndexAdapter, (MARKET, address(oracle)));
        settlement.propose(call);
        vm.warp(block.timestamp + 3 days);
        vm.expectRevert(refusal);
        settlement.execute(call);
    }
}
