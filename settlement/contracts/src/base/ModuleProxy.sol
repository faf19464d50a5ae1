// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Runs another contract's code on this storage for calls that this one does not know
/// @dev OpenZeppelin's `Proxy` writes over the scratch pad and the free memory pointer, which makes
/// the compiler give up placing variables in memory and inlining for the whole contract.
abstract contract ModuleProxy {
    fallback() external {
        address module = _implementation();
        assembly ("memory-safe") {
            let start := mload(0x40)
            calldatacopy(start, 0, calldatasize())
            let success := delegatecall(gas(), module, start, calldatasize(), 0, 0)
            returndatacopy(start, 0, returndatasize())
            if iszero(success) { revert(start, returndatasize()) }
            return(start, returndatasize())
        }
    }

    function _implementation() internal view virtual returns (address);
}
