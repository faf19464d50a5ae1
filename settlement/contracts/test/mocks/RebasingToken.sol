// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice Balances change without a transfer.
contract RebasingToken is ERC20 {
    uint256 public percent = 100;

    constructor() ERC20("rebasing", "REB") {
        _mint(msg.sender, 1e18);
    }

    function rebase(uint256 percent_) external {
        percent = percent_;
    }

    function balanceOf(address owner) public view override returns (uint256) {
        return super.balanceOf(owner) * percent / 100;
    }
}
