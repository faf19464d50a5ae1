// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { ERC20 } from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import { ERC20Permit } from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title TestToken
/// @notice Collateral of the embedded development chain: six decimals, anybody mints.
/// @dev Warning: worthless by construction. Never list it where money is meant.
contract TestToken is ERC20Permit {
    constructor() ERC20("Bulkhead test dollar", "tUSD") ERC20Permit("Bulkhead test dollar") { }

    function mint(address to, uint256 amountQuote) external {
        _mint(to, amountQuote);
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
