// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice Calls back into a target during transfers out of one holder, and tells how that ended.
contract HostileToken is ERC20 {
    address public holder;
    address public target;
    bytes public call;
    bool public succeeded;
    uint256 public calls;

    constructor() ERC20("hostile", "HOS") {
        _mint(msg.sender, 1e18);
    }

    function arm(address holder_, address target_, bytes calldata call_) external {
        (holder, target, call) = (holder_, target_, call_);
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from == address(0) || from != holder) return;
        ++calls;
        (succeeded,) = target.call(call);
    }
}
