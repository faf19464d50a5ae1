// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice First 29 bytes of a payload.
struct Header {
    uint256 sequence;
    uint256 epoch;
    uint256 clockTimeS;
    uint256 markets;
    uint256 accounts;
    uint256 positions;
    uint256 roots;
    uint256 orders;
    uint256 items;
}

/// @title Batch payload, section 5 of the specification
/// @dev A record is read as words that start at its first byte; fields are taken by shifts.
library BatchLib {
    uint256 internal constant VERSION = 2;
    uint256 internal constant HEADER_BYTES = 29;
    uint256 internal constant MARKET_BYTES = 4;
    uint256 internal constant ACCOUNT_BYTES = 20;
    uint256 internal constant POSITION_BYTES = 3;
    uint256 internal constant ROOT_BYTES = 36;
    uint256 internal constant ORDER_BYTES = 36;
    uint256 internal constant TRIGGER_BYTES = 5;
    uint256 internal constant INSTRUCTIONS_BYTES = 32;
    uint256 internal constant LEAF_BYTES = 4;
    uint256 internal constant SIGNATURE_BYTES = 64;
    uint256 internal constant PRICE_BYTES = 7;
    uint256 internal constant FILL_BYTES = 9;
    uint256 internal constant OBSERVATION_BYTES = 74;

    uint256 internal constant SIGNER_OWNER = 0;
    uint256 internal constant SIGNER_SESSION_KEY = 1;
    uint256 internal constant SIGNER_WALLET = 2;

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
    uint256 internal constant SESSION_KEY = 0x0b;
    uint256 internal constant PARAMETERS = 0x0c;
    uint256 internal constant AUTO_TOP_UP = 0x0d;
    uint256 internal constant SETTLE_MARKET = 0x0e;
    uint256 internal constant FORCED = 0x0f;
    uint256 internal constant FILL_AT = 0x10;
    uint256 internal constant LIQUIDATION_FILL_AT = 0x11;
    uint256 internal constant FUND_FILL_AT = 0x12;

    /// @dev Bytes of each item before its signature, opcode first; byte n is of opcode n. Items
    /// of bit n in `SIGNED` carry `u8 signer · signature` behind them.
    bytes32 private constant ITEM_BYTES =
        hex"00070609090a0a090a182c360220030d0e0d0d00000000000000000000000000";
    uint256 private constant SIGNED =
        1 << COLLATERAL | 1 << WITHDRAWAL | 1 << SESSION_KEY | 1 << AUTO_TOP_UP;

    /// @dev Items that the annex judges, one bit an opcode.
    uint256 private constant ANNEX = 1 << FUNDING | 1 << LIQUIDATION_FILL | 1 << TAKEOVER | 1
        << ADL | 1 << FUND_FILL | 1 << SESSION_KEY | 1 << PARAMETERS | 1 << AUTO_TOP_UP | 1
        << SETTLE_MARKET | 1 << FORCED | 1 << LIQUIDATION_FILL_AT | 1 << FUND_FILL_AT;

    error BatchMalformed(uint256 offset);

    /// @notice keccak256, which leaves no copy behind.
    function hash(bytes calldata payload) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            calldatacopy(free, payload.offset, payload.length)
            digest := keccak256(free, payload.length)
        }
    }

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
        h.sequence = uint64(word >> 184);
        h.epoch = uint32(word >> 152);
        h.clockTimeS = uint40(word >> 112);
        h.markets = uint8(word >> 104);
        h.accounts = uint16(word >> 88);
        h.positions = uint16(word >> 72);
        h.roots = uint16(word >> 56);
        h.orders = uint16(word >> 40);
        h.items = uint16(word >> 24);
        if (word >> 248 != VERSION) revert BatchMalformed(0);
    }

    /// @notice Whether an item is judged by the annex.
    function isAnnex(uint256 opcode) internal pure returns (bool) {
        return opcode < 256 && ANNEX >> opcode & 1 != 0;
    }

    /// @notice Where the item at `offset` ends.
    function itemEnd(bytes calldata data, uint256 offset) internal pure returns (uint256 end) {
        uint256 opcode = wordAt(data, offset) >> 248;
        uint256 length = opcode < 32 ? uint8(ITEM_BYTES[opcode]) : 0;
        if (length == 0) revert BatchMalformed(offset);
        end = offset + length;
        if (opcode == PRICE) end += uint8(wordAt(data, offset) >> 232) * OBSERVATION_BYTES;
        if (SIGNED >> opcode & 1 != 0) {
            end = signatureEnd(data, wordAt(data, end) >> 248, end + 1);
        }
        if (end > data.length) revert BatchMalformed(offset);
    }

    /// @notice Where the signature at `offset` ends: 64 bytes, or a wallet's `u16 length · bytes`.
    function signatureEnd(bytes calldata data, uint256 kind, uint256 offset)
        internal
        pure
        returns (uint256)
    {
        if (kind == SIGNER_WALLET) return offset + 2 + (wordAt(data, offset) >> 240);
        return offset + SIGNATURE_BYTES;
    }
}
