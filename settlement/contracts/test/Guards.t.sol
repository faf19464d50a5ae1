// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IExitDesk } from "../src/interfaces/IExitDesk.sol";
import { ISettlementErrors } from "../src/interfaces/ISettlement.sol";
import { BatchImage } from "../src/libraries/BatchImage.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice `src/dev/TablesHarness.sol`, which is compiled as what is deployed.
interface ITables {
    function commit(bytes calldata payload, int256 moneyMade, int256 lotsMade) external;
}

/// @notice Code that has used memory before a batch's image starts.
contract ImageHarness {
    function openAfter(uint256 length) external pure returns (uint256 used) {
        bytes memory room = new bytes(length);
        BatchImage.open();
        return room.length;
    }
}

/// @notice The last checks: what they stop no transaction can reach, as long as all others hold.
contract GuardsTest is SettlementTest {
    /// @dev CONS-1: whatever an item may do, a batch that makes money reverts.
    function test_RevertWhen_aBatchMakesMoney() public {
        ITables tables = _tables();
        bytes memory payload = _payload();
        tables.commit(payload, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.ConservationBroken.selector, 1));
        tables.commit(payload, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.ConservationBroken.selector, -1));
        tables.commit(payload, -1, 0);
    }

    /// @dev CONS-2: and one that makes lots.
    function test_RevertWhen_aBatchMakesLots() public {
        ITables tables = _tables();
        bytes memory payload = _payload();
        bytes4 selector = ISettlementErrors.LotsSumBroken.selector;
        vm.expectRevert(abi.encodeWithSelector(selector, MARKET, 1));
        tables.commit(payload, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(selector, MARKET, -1));
        tables.commit(payload, 0, -1);
    }

    /// @dev The compiler keeps nothing where a batch's image starts, and the code sees to it.
    function test_RevertWhen_memoryIsUsedBeforeTheImage() public {
        ImageHarness image = new ImageHarness();
        assertEq(image.openAfter(0x600 - 0xa0), 0x600 - 0xa0, "up to its start");
        vm.expectPartialRevert(BatchImage.MemoryLayout.selector);
        image.openAfter(0x600 - 0xa0 + 1);
    }

    /// @dev EXIT-2: a position in a market that never had a price can only be there by a fault.
    function test_RevertWhen_theMarketNeverHadAPrice() public {
        address alice = vm.addr(ALICE);
        bytes32 slot = keccak256(abi.encode(MARKET, uint256(4)));
        slot = keccak256(abi.encode(alice, slot));
        vm.store(address(settlement), slot, bytes32(uint256(10)));
        assertEqInt(position(ALICE).positionLots, 10, "a position by a fault");
        vm.prank(alice);
        settlement.requestWithdrawal(1, alice);
        vm.warp(block.timestamp + 1 days);
        settlement.enterExitMode();
        vm.expectRevert(abi.encodeWithSelector(IExitDesk.ExitPriceMissing.selector, MARKET));
        settlement.exitPosition(MARKET, alice);
    }

    function _tables() private returns (ITables) {
        return ITables(vm.deployCode("TablesHarness.sol:TablesHarness", ""));
    }

    function _payload() private view returns (bytes memory) {
        Plan memory p = plan();
        addPosition(p, vm.addr(ALICE));
        return encode(p);
    }
}
