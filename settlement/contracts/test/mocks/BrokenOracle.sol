// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice An adapter that works when it is named, and later does what no interface foresees.
contract BrokenOracle {
    uint256 private _mode;

    /// @param mode 0 works; 1 answers half of what it should; 2 burns all gas
    function set(uint256 mode) external {
        _mode = mode;
    }

    fallback() external {
        if (_mode == 2) {
            while (true) { }
        }
        uint256 length = _mode == 1 ? 32 : 64;
        assembly ("memory-safe") {
            mstore(0x00, 960)
            mstore(0x20, timestamp())
            return(0x00, length)
        }
    }
}
