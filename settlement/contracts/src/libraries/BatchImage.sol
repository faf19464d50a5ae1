// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The memory of a batch, handed from one piece of code to another
/// @notice Settlement and its annex are one program whose code does not fit into one contract.
/// They share storage by `delegatecall`; this library lets them share memory: the caller sends its
/// memory from `START` on, the annex puts it at the same place, works on it and returns it.
/// Pointers stay valid, since both are compiled from the same structs.
/// @dev `START` lies behind everything that the compiler itself keeps in memory. Both sides check
/// that. The batch must be the first thing allocated after `open`.
library BatchImage {
    uint256 internal constant START = 0x600;
    uint256 private constant TRAILER_BYTES = 96;

    error MemoryLayout(uint256 free);

    /// @notice Moves the free memory pointer to `START`.
    function open() internal pure {
        uint256 free;
        assembly ("memory-safe") {
            free := mload(0x40)
            mstore(0x40, START)
        }
        if (free > START) revert MemoryLayout(free);
    }

    /// @notice Runs the annex on the memory and on a part of the payload; bubbles its error.
    /// @param index number of the first item of that part
    function run(address annex, bytes calldata payload, uint256 offset, uint256 end, uint256 index)
        internal
    {
        // The call data: memory from START to the free pointer, the part of the payload, then
        // index, length of the part, length of the memory. What comes back replaces the memory.
        assembly ("memory-safe") {
            let free := mload(0x40)
            let length := sub(end, offset)
            calldatacopy(free, add(payload.offset, offset), length)
            let trailer := add(free, length)
            mstore(trailer, index)
            mstore(add(trailer, 32), length)
            mstore(add(trailer, 64), sub(free, START))
            let size := sub(add(trailer, TRAILER_BYTES), START)
            if iszero(delegatecall(gas(), annex, START, size, 0, 0)) {
                returndatacopy(free, 0, returndatasize())
                revert(free, returndatasize())
            }
            returndatacopy(START, 0, returndatasize())
            mstore(0x40, add(START, returndatasize()))
        }
    }

    /// @notice The annex's side of `run`: puts the memory in place.
    /// @return items the part of the payload
    /// @return index number of its first item
    function enter() internal pure returns (bytes calldata items, uint256 index) {
        open();
        assembly ("memory-safe") {
            let trailer := sub(calldatasize(), TRAILER_BYTES)
            index := calldataload(trailer)
            items.length := calldataload(add(trailer, 32))
            let length := calldataload(add(trailer, 64))
            items.offset := length
            calldatacopy(START, 0, length)
            mstore(0x40, add(START, length))
        }
    }

    /// @notice Ends the annex's call and gives the memory back.
    function finish() internal pure {
        assembly ("memory-safe") {
            return(START, sub(mload(0x40), START))
        }
    }
}
