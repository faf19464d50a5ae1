// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IERC1271 } from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import { SlotDerivation } from "@openzeppelin/contracts/utils/SlotDerivation.sol";
import { StorageSlot } from "@openzeppelin/contracts/utils/StorageSlot.sol";

import { BatchLib } from "../libraries/BatchLib.sol";
import { OrderLib } from "../libraries/OrderLib.sol";
import { Batch, BatchWork } from "./BatchWork.sol";

/// @title Whose signature it is: an owner's key, a session key or a contract wallet (SIG-3)
abstract contract Signatures is BatchWork {
    using SlotDerivation for bytes32;
    using StorageSlot for bytes32;

    /// @dev A wallet's answer costs at most this, so that none can make a batch fail.
    uint256 private constant WALLET_GAS = 100_000;

    /// @notice Whose signature of a digest stands at `offset`.
    /// @param kind who is said to have signed, `BatchLib.SIGNER_…`
    /// @param offset where the signature starts
    /// @return authority as in `OrderEntry`
    function _authority(
        address owner,
        bytes32 digest,
        uint256 kind,
        bytes calldata payload,
        uint256 offset
    ) internal view returns (bytes32 authority) {
        if (kind == BatchLib.SIGNER_WALLET) {
            uint256 end = BatchLib.signatureEnd(payload, kind, offset);
            if (end > payload.length) revert BatchLib.BatchMalformed(offset);
            bool isApproved = _isApproved(owner, digest, payload[offset + 2:end]);
            return isApproved ? SIGNED_BY_OWNER : UNSIGNED;
        }
        address signer = OrderLib.signer(
            digest, BatchLib.wordAt(payload, offset), BatchLib.wordAt(payload, offset + 32)
        );
        if (signer == address(0)) return UNSIGNED;
        if (kind == BatchLib.SIGNER_OWNER) {
            return signer == owner ? SIGNED_BY_OWNER : UNSIGNED;
        }
        if (kind != BatchLib.SIGNER_SESSION_KEY) return UNSIGNED;
        authority = _sessionKeySlot(owner, signer);
        if (authority.getUint256Slot().value == 0) return UNSIGNED;
    }

    /// @notice Reads the `u8 signer · signature` at `offset` over a struct.
    function _authorityOf(
        Batch memory b,
        address owner,
        bytes32 structHash,
        bytes calldata payload,
        uint256 offset
    ) internal view returns (bytes32) {
        uint256 kind = BatchLib.wordAt(payload, offset) >> 248;
        bytes32 digest = OrderLib.digest(b.domain, structHash);
        return _authority(owner, digest, kind, payload, offset + 1);
    }

    /// @notice Whether the owner's wallet approves a digest (EIP-1271).
    /// @dev The caller of the batch must leave enough gas: it could make a signature fail by
    /// giving too little.
    function _isApproved(address wallet, bytes32 digest, bytes calldata signature)
        private
        view
        returns (bool)
    {
        if (wallet.code.length == 0) return false;
        bytes memory input = abi.encodeCall(IERC1271.isValidSignature, (digest, signature));
        if (gasleft() * 63 / 64 <= WALLET_GAS) revert WalletGasMissing(gasleft());
        bool succeeded;
        uint256 answer;
        // Equivalent to a static call that copies one word of what it returns, however long.
        assembly ("memory-safe") {
            mstore(0x00, 0)
            succeeded := staticcall(WALLET_GAS, wallet, add(input, 32), mload(input), 0x00, 0x20)
            succeeded := and(succeeded, gt(returndatasize(), 31))
            answer := mload(0x00)
        }
        return succeeded && answer == uint256(bytes32(IERC1271.isValidSignature.selector));
    }

    function _sessionKeySlot(address owner, address key) internal pure returns (bytes32) {
        bytes32 root;
        assembly ("memory-safe") {
            root := _sessionKeys.slot
        }
        return root.deriveMapping(owner).deriveMapping(key);
    }
}
