// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IERC1271 } from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @notice A contract wallet: approves what its owner's key has signed, with `r, s, v`.
contract HonestWallet is IERC1271 {
    address private immutable _owner;

    constructor(address owner) {
        _owner = owner;
    }

    function isValidSignature(bytes32 hash, bytes calldata signature)
        external
        view
        returns (bytes4)
    {
        (bytes32 r, bytes32 s) = abi.decode(signature, (bytes32, bytes32));
        address signer = ecrecover(hash, uint8(signature[64]), r, s);
        return signer == _owner ? IERC1271.isValidSignature.selector : bytes4(0);
    }
}

/// @notice A wallet that does harm where it can: mode 0 burns gas, 1 reverts with a lot of data,
/// 2 returns a lot of data, 3 returns less than a word, 4 returns another word.
contract HostileWallet {
    uint256 private immutable _mode;

    constructor(uint256 mode) {
        _mode = mode;
    }

    fallback() external {
        uint256 mode = _mode;
        uint256 word = uint256(bytes32(IERC1271.isValidSignature.selector));
        assembly {
            if eq(mode, 0) { invalid() }
            if eq(mode, 1) { revert(0, 10000) }
            mstore(0, word)
            if eq(mode, 2) { return(0, 30000) }
            if eq(mode, 3) { return(0, 4) }
            mstore(0, add(word, 1))
            return(0, 32)
        }
    }
}
