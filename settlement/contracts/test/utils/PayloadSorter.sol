// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { BatchLib, Header } from "../../src/libraries/BatchLib.sol";
import { OrderWord } from "../../src/libraries/OrderWord.sol";

/// @notice Puts the accounts and positions of a payload in order, as section 5 of the specification
/// asks for, with all that refers to them. Reverts when the payload cannot be read.
/// @dev A contract and not a library: the readers of `BatchLib` take call data.
contract PayloadSorter {
    using OrderWord for uint256;

    uint256 private constant MARKETS_AT = BatchLib.HEADER_BYTES;

    function sort(bytes calldata payload) external pure returns (bytes memory sorted) {
        sorted = payload;
        Header memory h = BatchLib.header(payload);
        uint256 accountsAt = MARKETS_AT + h.markets * BatchLib.MARKET_BYTES;
        uint256 positionsAt = accountsAt + h.accounts * BatchLib.ACCOUNT_BYTES;
        uint256[] memory keys = new uint256[](h.accounts);
        for (uint256 i = 0; i < h.accounts; ++i) {
            keys[i] = BatchLib.wordAt(payload, accountsAt + i * BatchLib.ACCOUNT_BYTES) >> 96;
        }
        uint256[] memory newAccount = _ranks(keys);
        for (uint256 i = 0; i < h.accounts; ++i) {
            _write(sorted, accountsAt + newAccount[i] * BatchLib.ACCOUNT_BYTES, keys[i], 20);
        }
        keys = new uint256[](h.positions);
        for (uint256 i = 0; i < h.positions; ++i) {
            uint256 word = BatchLib.wordAt(payload, positionsAt + i * BatchLib.POSITION_BYTES);
            keys[i] = newAccount[word >> 240] << 8 | uint8(word >> 232);
        }
        uint256[] memory newPosition = _ranks(keys);
        for (uint256 i = 0; i < h.positions; ++i) {
            _write(sorted, positionsAt + newPosition[i] * BatchLib.POSITION_BYTES, keys[i], 3);
        }
        uint256 offset = positionsAt + h.positions * BatchLib.POSITION_BYTES;
        offset = _sortOrders(payload, sorted, offset, h, newAccount, newPosition);
        for (uint256 i = 0; i < h.items; ++i) {
            _sortItem(payload, sorted, offset, newAccount, newPosition);
            offset = BatchLib.itemEnd(payload, offset);
        }
    }

    function _sortOrders(
        bytes calldata payload,
        bytes memory sorted,
        uint256 offset,
        Header memory h,
        uint256[] memory newAccount,
        uint256[] memory newPosition
    ) private pure returns (uint256) {
        uint256[] memory heights = new uint256[](h.roots);
        for (uint256 i = 0; i < h.roots; ++i) {
            uint256 word = BatchLib.wordAt(payload, offset);
            heights[i] = uint8(word >> 224);
            _renumber(payload, sorted, offset, newAccount);
            uint256 signatureAt = offset + BatchLib.ROOT_BYTES;
            offset = BatchLib.signatureEnd(payload, uint8(word >> 232), signatureAt);
        }
        for (uint256 i = 0; i < h.orders; ++i) {
            uint256 head = BatchLib.wordAt(payload, offset);
            _renumber(payload, sorted, offset, newPosition);
            offset += BatchLib.ORDER_BYTES;
            if (head.flags() & OrderWord.FLAG_TRIGGER != 0) offset += BatchLib.TRIGGER_BYTES;
            if (head.flags() & OrderWord.FLAG_INSTRUCTIONS != 0) {
                offset += BatchLib.INSTRUCTIONS_BYTES;
            }
            if (head.flags() & OrderWord.FLAG_BULK == 0) {
                offset = BatchLib.signatureEnd(payload, head.signer(), offset);
            } else {
                uint256 root = BatchLib.wordAt(payload, offset) >> 240;
                offset += BatchLib.LEAF_BYTES + 32 * heights[root];
            }
        }
        return offset;
    }

    function _sortItem(
        bytes calldata payload,
        bytes memory sorted,
        uint256 offset,
        uint256[] memory newAccount,
        uint256[] memory newPosition
    ) private pure {
        uint256 opcode = BatchLib.wordAt(payload, offset) >> 248;
        if (opcode == BatchLib.WITHDRAWAL || opcode == BatchLib.SESSION_KEY) {
            _renumber(payload, sorted, offset + 1, newAccount);
        } else if (opcode == BatchLib.FORCED) {
            _renumber(payload, sorted, offset + 9, newAccount);
            _renumber(payload, sorted, offset + 11, newPosition);
        } else if (
            opcode >= BatchLib.LIQUIDATION_FILL && opcode <= BatchLib.FUND_FILL
                || opcode == BatchLib.COLLATERAL || opcode == BatchLib.AUTO_TOP_UP
                || opcode == BatchLib.SETTLE_MARKET || opcode > BatchLib.FILL_AT
        ) {
            _renumber(payload, sorted, offset + 1, newPosition);
            if (opcode == BatchLib.TAKEOVER || opcode == BatchLib.ADL) {
                _renumber(payload, sorted, offset + 3, newPosition);
            }
        }
    }

    /// @dev A number outside of its table stays.
    function _renumber(
        bytes calldata payload,
        bytes memory sorted,
        uint256 offset,
        uint256[] memory renumbered
    ) private pure {
        uint256 old = BatchLib.wordAt(payload, offset) >> 240;
        if (old < renumbered.length) _write(sorted, offset, renumbered[old], 2);
    }

    /// @dev Where each key goes; equal ones keep their order.
    function _ranks(uint256[] memory keys) private pure returns (uint256[] memory ranks) {
        ranks = new uint256[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            for (uint256 j = 0; j < i; ++j) {
                if (keys[j] > keys[i]) ++ranks[j];
                else ++ranks[i];
            }
        }
    }

    function _write(bytes memory data, uint256 offset, uint256 value, uint256 length)
        private
        pure
    {
        for (uint256 i = 0; i < length; ++i) {
            data[offset + i] = bytes1(uint8(value >> (8 * (length - 1 - i))));
        }
    }
}
