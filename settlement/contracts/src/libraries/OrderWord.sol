// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A signed order as the payload carries it
/// @notice `head` is the first word of its record, `tail` the word at its last fixed byte.
/// @dev From the highest bit, head is: u16 position · u16 flags · u32 priceTicks · u32 qtyLots ·
/// u64 marginQuote · u24 feePpmMax · u64 nonce · 8 bits of tail; tail is: u40 expiryTimeS ·
/// u8 triggerKind · u32 triggerPriceTicks · anything. Reading a field costs less than keeping it.
library OrderWord {
    uint256 internal constant FLAG_TRIGGER = 1 << 5;
    uint256 internal constant FLAG_INSTRUCTIONS = 1 << 6;
    uint256 internal constant FLAG_BULK = 1 << 7;

    function position(uint256 head) internal pure returns (uint256) {
        return head >> 240;
    }

    function flags(uint256 head) internal pure returns (uint256) {
        return uint16(head >> 224);
    }

    /// @notice 0 buy, 1 sell.
    function side(uint256 head) internal pure returns (uint256) {
        return head >> 224 & 1;
    }

    function timeInForce(uint256 head) internal pure returns (uint256) {
        return head >> 225 & 3;
    }

    function isPostOnly(uint256 head) internal pure returns (bool) {
        return head >> 227 & 1 != 0;
    }

    function isReduceOnly(uint256 head) internal pure returns (bool) {
        return head >> 228 & 1 != 0;
    }

    /// @notice Who has signed: `BatchLib.SIGNER_…`.
    function signer(uint256 head) internal pure returns (uint256) {
        return head >> 232 & 3;
    }

    function priceTicks(uint256 head) internal pure returns (uint256) {
        return uint32(head >> 192);
    }

    function qtyLots(uint256 head) internal pure returns (uint256) {
        return uint32(head >> 160);
    }

    function marginQuote(uint256 head) internal pure returns (uint256) {
        return head << 96 >> 192;
    }

    function feePpmMax(uint256 head) internal pure returns (uint256) {
        return uint24(head >> 72);
    }

    function nonce(uint256 head) internal pure returns (uint256) {
        return head << 184 >> 192;
    }

    function expiryTimeS(uint256 tail) internal pure returns (uint256) {
        return tail >> 216;
    }

    function triggerKind(uint256 tail) internal pure returns (uint256) {
        return uint8(tail >> 208);
    }

    function triggerPriceTicks(uint256 tail) internal pure returns (uint256) {
        return uint32(tail >> 176);
    }

    /// @notice The tail of an order that waits for nothing.
    function withoutTrigger(uint256 tail) internal pure returns (uint256) {
        return tail >> 216 << 216;
    }
}
