// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice First 27 bytes of a payload.
struct Header {
    uint256 version;
    uint256 sequence;
    uint256 epoch;
    uint256 clockTimeS;
    uint256 markets;
    uint256 accounts;
    uint256 positions;
    uint256 orders;
    uint256 items;
}

/// @title Batch payload, section 5 of the specification
/// @dev A record is read as words that start at its first byte; fields are taken by shifts.
library BatchLib {
    uint256 internal constant VERSION = 2;
    uint256 internal constant HEADER_BYTES = 27;
    uint256 internal constant MARKET_BYTES = 4;
    uint256 internal constant ACCOUNT_BYTES = 20;
    uint256 internal constant POSITION_BYTES = 3;
    uint256 internal constant ORDER_BYTES = 36;
    uint256 internal constant TRIGGER_BYTES = 5;
    uint256 internal constant INSTRUCTIONS_BYTES = 32;
    uint256 internal constant SIGNATURE_BYTES = 64;
    uint256 internal constant PRICE_BYTES = 7;
    uint256 internal constant OBSERVATION_BYTES = 74;

    uint256 internal constant FLAG_TRIGGER = 1 << 5;
    uint256 internal constant FLAG_INSTRUCTIONS = 1 << 6;
    uint256 internal constant FLAGS_SIGNER = ~uint256(0x7f);

    uint256 internal constant PRICE = 0x01;
    uint256 internal constant CLOCK = 0x02;
    uint256 internal constant FILL = 0x03;
    uint256 internal constant LIQUIDATION_FILL = 0x04;
    uint256 internal constant TAKEOVER = 0x05;
    uint256 internal constant ADL = 0x06;
    uint256 internal constant FUND_FILL = 0x07;
    uint256 internal constant FUNDING = 0x08;
    uint256 internal constant COLLATERAL = 0x09;
    uint256 internal constant WITHDRAWAL = 0x0a;
    uint256 internal constant FORCED = 0x0f;

    error BatchMalformed(uint256 offset);

    /// @notice The 32 bytes of `data` from `offset` on; bytes behind the end read as they come,
    /// so the caller compares the end of the last record with `data.length`.
    function wordAt(bytes calldata data, uint256 offset) internal pure returns (uint256 word) {
        // Equivalent to: word = uint256(bytes32(data[offset:offset + 32])), without its check.
        assembly ("memory-safe") {
            word := calldataload(add(data.offset, offset))
        }
    }

    function header(bytes calldata data) internal pure returns (Header memory h) {
        if (data.length < HEADER_BYTES) revert BatchMalformed(0);
        uint256 word = wordAt(data, 0);
        h.version = word >> 248;
        h.sequence = uint64(word >> 184);
        h.epoch = uint32(word >> 152);
        h.clockTimeS = uint40(word >> 112);
        h.markets = uint8(word >> 104);
        h.accounts = uint16(word >> 88);
        h.positions = uint16(word >> 72);
        h.orders = uint16(word >> 56);
        h.items = uint16(word >> 40);
        if (h.version != VERSION) revert BatchMalformed(0);
    }

    /// @notice Length of an item with its opcode.
    /// @param word first 32 bytes of the item
    function itemBytes(uint256 word, uint256 offset) internal pure returns (uint256) {
        uint256 opcode = word >> 248;
        if (opcode == FILL || opcode == LIQUIDATION_FILL || opcode == FUND_FILL) return 9;
        if (opcode == PRICE) return PRICE_BYTES + uint8(word >> 232) * OBSERVATION_BYTES;
        if (opcode == CLOCK) return 6;
        if (opcode == TAKEOVER || opcode == ADL) return 10;
        if (opcode == FUNDING) return 10;
        if (opcode == COLLATERAL) return 24 + SIGNATURE_BYTES;
        if (opcode == WITHDRAWAL) return 44 + SIGNATURE_BYTES;
        if (opcode == FORCED) return 13;
        revert BatchMalformed(offset);
    }
}
