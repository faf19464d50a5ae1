// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Operator } from "./utils/Operator.sol";
import { Saboteur } from "./utils/Saboteur.sol";
import { Test } from "./utils/Vm.sol";

/// @notice What holds whatever the operator does, with the attestors' and the oracle's keys.
contract InvariantTest is Test {
    error NeverAccepted(uint256 opcode);

    error NeverDone(bytes32 action);

    Saboteur private _operator;

    function setUp() public {
        _operator = new Saboteur();
    }

    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(_operator);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() public view returns (FuzzSelector[] memory list) {
        bytes4[] memory s = new bytes4[](40);
        s[0] = Operator.depositMore.selector;
        s[1] = Operator.insure.selector;
        s[2] = Operator.movePrice.selector;
        s[3] = Operator.moveFunding.selector;
        s[4] = Operator.trade.selector;
        s[5] = Operator.forge.selector;
        s[6] = Operator.liquidate.selector;
        s[7] = Operator.takeOver.selector;
        s[8] = Operator.deleverage.selector;
        s[9] = Operator.closeFund.selector;
        s[10] = Operator.moveCollateral.selector;
        s[11] = Operator.withdraw.selector;
        s[12] = Operator.cancel.selector;
        s[13] = Operator.trade.selector;
        s[14] = Operator.movePrice.selector;
        s[15] = Operator.request.selector;
        s[16] = Operator.serve.selector;
        s[17] = Operator.tradeByKey.selector;
        s[18] = Operator.back.selector;
        s[19] = Operator.claim.selector;
        s[20] = Operator.die.selector;
        s[21] = Operator.serve.selector;
        s[22] = Saboteur.pick.selector;
        s[23] = Saboteur.pause.selector;
        s[24] = Saboteur.holdBackClock.selector;
        s[25] = Saboteur.changeParameters.selector;
        s[26] = Saboteur.grantKey.selector;
        s[27] = Saboteur.drawTopUps.selector;
        s[28] = Saboteur.tradeAt.selector;
        s[29] = Saboteur.tradeBulk.selector;
        s[30] = Saboteur.tradeByWallet.selector;
        s[31] = Saboteur.deliver.selector;
        s[32] = Saboteur.leaveAtExit.selector;
        s[33] = Saboteur.claimAtExit.selector;
        s[34] = Saboteur.migrate.selector;
        s[35] = Operator.trade.selector;
        s[36] = Operator.plunder.selector;
        s[37] = Operator.plunder.selector;
        s[38] = Saboteur.chooseMark.selector;
        s[39] = Operator.reclaim.selector;
        list = new FuzzSelector[](1);
        list[0] = FuzzSelector(address(_operator), s);
    }

    /// @dev CONS-1, CONS-2, CONS-3: the vault holds to the unit what the contract owes; nobody's
    /// gain is made of nothing. No loss reaches a free balance, no order is filled beyond its
    /// quantity, a closed position holds nothing, and who settles and signs ends with nothing.
    /// One campaign for all: each would play its own.
    function invariant_NOTHING_IS_TAKEN_MADE_OR_LOST() public view {
        _check();
    }

    /// @dev The handler reaches the rules: what it settles is not all refused.
    function test_operatorReachesEveryItem() public {
        for (uint256 i = 0; i < 300; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            if (i % 3 == 0) _operator.trade(seed);
            if (i % 7 == 1) _operator.movePrice(seed);
            if (i % 11 == 2) _operator.insure(seed % 100_000);
            if (i % 5 == 3) _operator.liquidate(seed);
            if (i % 9 == 4) _operator.takeOver(seed);
            if (i % 2 == 0) _operator.deleverage(seed);
            if (i % 4 == 1) _operator.closeFund(seed);
            if (i % 13 == 7) _operator.moveFunding(int256(seed >> 1));
            if (i % 10 == 8) _operator.moveCollateral(seed, int256(seed >> 128));
            if (i % 10 == 9) _operator.withdraw(seed, seed >> 128);
            if (i % 17 == 9) _operator.forge(seed);
        }
        for (uint256 i = 300; i < 360; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            if (i % 3 == 0) _operator.trade(seed);
            if (i % 2 == 0) _operator.request(seed, seed >> 64);
            if (i % 2 == 1) _operator.serve(seed);
            if (i % 4 == 3) _operator.tradeByKey(seed);
            if (i % 5 == 4) _operator.back(seed, seed >> 64);
            if (i % 9 == 6) _operator.claim(seed);
        }
        for (uint256 opcode = 1; opcode <= 10; ++opcode) {
            if (opcode == 2) continue;
            if (_operator.acceptedOf(opcode) == 0) revert NeverAccepted(opcode);
        }
        if (_operator.acceptedOf(15) == 0) revert NeverAccepted(15);
        _check();
        _operator.request(0, 1 << 64);
        _operator.insure(5);
        _operator.die(4);
        for (uint256 i = 0; i < 64; ++i) {
            _operator.reclaim(i);
        }
        assertTrue(_operator.reclaimed() != 0, "what a request has brought");
        _check();
        assertTrue(_operator.exits() != 0, "somebody had a position to leave");
        _operator.die(1 << 16);
        _check();
    }

    /// @dev The operator's own accounts meet CONS-4, by fills, by take-outs and by force.
    function test_operatorCannotPlunder() public {
        for (uint256 i = 0; i < 60; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            _operator.plunder(seed);
            if (i % 3 == 0) _operator.trade(seed);
            if (i % 4 == 0) _operator.serve(seed);
            if (i % 7 == 0) _operator.liquidate(seed);
            if (i % 5 == 0) _operator.deleverage(seed);
            _check();
        }
        assertTrue(_operator.refusedFor(50) != 0, "the market could not pay");
    }

    /// @dev The seldom means reach their rules too: each action succeeds at least once.
    function test_saboteurDoesEverything() public {
        for (uint256 i = 0; i < 60; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            if (i % 12 == 0) _operator.pick(i / 12);
            _operator.trade(seed);
            if (i % 4 == 0) _operator.movePrice(seed);
            _operator.drawTopUps(seed);
            if (i % 5 == 1) _operator.pause(seed << 1);
            if (i % 6 == 2) _operator.holdBackClock(seed);
            if (i % 7 == 3) _operator.changeParameters(seed & ~uint256(7));
            if (i % 5 == 4) _operator.grantKey(seed);
            if (i % 5 == 2) _operator.tradeByKey(seed);
            if (i % 3 == 0) _operator.tradeAt(seed);
            if (i % 4 == 1) _operator.tradeBulk(seed);
            if (i % 4 == 2) _operator.tradeByWallet(seed);
            if (i % 6 == 3) _operator.chooseMark(seed);
            if (i % 8 == 5) _operator.back(seed, seed >> 64 | 7);
            if (i % 8 == 6) _operator.serve(seed & ~uint256(1) | 50);
        }
        _operator.deliver(0);
        _check();
        _operator.pick(0);
        for (uint256 i = 0; i < 10; ++i) {
            _operator.trade(uint256(keccak256(abi.encode(i + 1000))));
        }
        _operator.migrate(0);
        _operator.migrate(8);
        for (uint256 i = 0; i < 4; ++i) {
            _operator.leaveAtExit(i + 64);
            _operator.claimAtExit(i == 2 ? 24 : i == 1 ? 16 : 0);
            _operator.migrate(i);
            _check();
        }
        for (uint256 opcode = 11; opcode <= 16; ++opcode) {
            if (opcode == 15) continue;
            if (_operator.acceptedOf(opcode) == 0) revert NeverAccepted(opcode);
        }
        bytes32[9] memory actions = [
            bytes32("pause"),
            "holdBackClock",
            "chooseMark",
            "tradeBulk",
            "tradeByWallet",
            "leaveAtExit",
            "claimExitGain",
            "claimBackingAtExit",
            "migrate"
        ];
        for (uint256 i = 0; i < actions.length; ++i) {
            if (_operator.did(actions[i]) == 0) revert NeverDone(actions[i]);
        }
    }

    function _check() private view {
        _operator.checkMarketsAndWallet();
        _operator.checkConservation();
        _operator.checkPots();
        _operator.checkIsolationFloor();
        _operator.checkNoOverfill();
        _operator.checkNothingIsLeftBehind();
        _operator.checkNobodyElseGains();
    }
}
