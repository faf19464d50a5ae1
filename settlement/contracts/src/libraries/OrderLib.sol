// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Hashes } from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";
import { MessageHashUtils } from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import { BatchLib } from "./BatchLib.sol";
import { OrderWord } from "./OrderWord.sol";
import { SessionKeyScope } from "./SessionKeyLib.sol";

/// @title Signed messages (EIP-712), section 4 of the specification
library OrderLib {
    bytes32 internal constant DOMAIN_TYPEHASH = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    );
    /// @dev Largest s that is not the twin of a smaller one.
    uint256 private constant HALF_ORDER =
        0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    string internal constant ORDER_TYPE = "Order(address account,uint32 marketId,uint8 side,uint8 timeInForce,bool postOnly,"
        "bool reduceOnly,uint64 priceTicks,uint64 qtyLots,uint64 marginQuote,uint32 feePpmMax,"
        "uint8 triggerKind,uint64 triggerPriceTicks,uint64 nonce,uint64 expiryTimeS,"
        "bytes32 instructions)";
    bytes32 internal constant ORDER_TYPEHASH = keccak256(bytes(ORDER_TYPE));
    bytes32 internal constant COLLATERAL_MOVE_TYPEHASH = keccak256(
        "CollateralMove(address account,uint32 marketId,int64 amountQuote,uint64 nonce,"
        "uint64 expiryTimeS)"
    );
    bytes32 internal constant WITHDRAWAL_TYPEHASH = keccak256(
        "Withdrawal(address account,address to,uint64 amountQuote,uint64 nonce,uint64 expiryTimeS)"
    );
    bytes32 internal constant SESSION_KEY_TYPEHASH = keccak256(
        "SessionKey(address account,address key,uint64 markets,uint8 leverageMax,bool reduceOnly,"
        "uint64 dayNotionalMaxQuote,uint64 nonce,uint64 expiryTimeS)"
    );
    bytes32 internal constant AUTO_TOP_UP_TYPEHASH = keccak256(
        "AutoTopUp(address account,uint32 marketId,uint64 capQuote,uint64 nonce,uint64 expiryTimeS)"
    );
    bytes32 internal constant INDEX_PRICE_TYPEHASH =
        keccak256("IndexPrice(uint32 marketId,uint64 priceTicks,uint64 timeMs)");
    bytes32 internal constant BATCH_TYPEHASH =
        keccak256("Batch(uint64 sequence,uint32 epoch,bytes32 previousHash,bytes32 payloadHash)");

    function domainSeparator(address verifyingContract) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                DOMAIN_TYPEHASH,
                keccak256("Bulkhead"),
                keccak256("1"),
                block.chainid,
                verifyingContract
            )
        );
    }

    /// @notice `hashStruct` of an order.
    /// @param words room for its encoding, the type hash in front; the same for many orders
    /// @param head its record, see `OrderWord`
    /// @param instructions the matcher's, opaque here: they are in the digest and nowhere else
    function hashOrder(
        bytes32[16] memory words,
        address account,
        uint256 marketId,
        uint256 head,
        uint256 tail,
        bytes32 instructions
    ) internal pure returns (bytes32 structHash) {
        words[1] = bytes32(uint256(uint160(account)));
        words[2] = bytes32(marketId);
        words[3] = bytes32(OrderWord.side(head));
        words[4] = bytes32(OrderWord.timeInForce(head));
        words[5] = bytes32(head >> 227 & 1);
        words[6] = bytes32(head >> 228 & 1);
        words[7] = bytes32(OrderWord.priceTicks(head));
        words[8] = bytes32(OrderWord.qtyLots(head));
        words[9] = bytes32(OrderWord.marginQuote(head));
        words[10] = bytes32(OrderWord.feePpmMax(head));
        words[11] = bytes32(OrderWord.triggerKind(tail));
        words[12] = bytes32(OrderWord.triggerPriceTicks(tail));
        words[13] = bytes32(OrderWord.nonce(head));
        words[14] = bytes32(OrderWord.expiryTimeS(tail));
        words[15] = instructions;
        // Equivalent to: structHash = keccak256(abi.encode(words)), without the copy.
        assembly ("memory-safe") {
            structHash := keccak256(words, 512)
        }
    }

    /// @notice Type hash of a tree of orders of a height, 1 … 10.
    function bulkTypehash(uint256 height) internal pure returns (bytes32) {
        bytes memory brackets = "";
        for (uint256 i = 0; i < height; ++i) {
            brackets = bytes.concat(brackets, "[2]");
        }
        return keccak256(bytes.concat("BulkOrder(Order", brackets, " tree)", bytes(ORDER_TYPE)));
    }

    /// @notice Digest of a tree of orders with this root.
    /// @param typehash of its height, see `bulkTypehash`
    function bulkDigest(bytes32 domain, bytes32 typehash, bytes32 root)
        internal
        pure
        returns (bytes32)
    {
        return MessageHashUtils.toTypedDataHash(domain, Hashes.efficientKeccak256(typehash, root));
    }

    /// @notice Root of the tree in which `leaf` stands at `index`, its siblings at `offset` of
    /// the payload from the leaf upwards.
    function bulkRoot(
        bytes32 leaf,
        uint256 index,
        uint256 height,
        bytes calldata payload,
        uint256 offset
    ) internal pure returns (bytes32 node) {
        node = leaf;
        for (uint256 level = 0; level < height; ++level) {
            bytes32 sibling = bytes32(BatchLib.wordAt(payload, offset));
            node = index >> level & 1 == 0
                ? Hashes.efficientKeccak256(node, sibling)
                : Hashes.efficientKeccak256(sibling, node);
            offset += 32;
        }
    }

    function sessionKeyHash(
        address account,
        address key,
        SessionKeyScope memory scope,
        bool reduceOnly,
        uint256 nonce
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                SESSION_KEY_TYPEHASH,
                account,
                key,
                scope.markets,
                scope.leverageMax,
                reduceOnly,
                scope.dayNotionalMaxQuote,
                nonce,
                scope.expiryTimeS
            )
        );
    }

    function autoTopUpHash(
        address account,
        uint256 marketId,
        uint256 capQuote,
        uint256 nonce,
        uint256 expiryTimeS
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(AUTO_TOP_UP_TYPEHASH, account, marketId, capQuote, nonce, expiryTimeS)
        );
    }

    function collateralMoveHash(
        address account,
        uint256 marketId,
        int256 amountQuote,
        uint256 nonce,
        uint256 expiryTimeS
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                COLLATERAL_MOVE_TYPEHASH, account, marketId, amountQuote, nonce, expiryTimeS
            )
        );
    }

    function withdrawalHash(
        address account,
        address to,
        uint256 amountQuote,
        uint256 nonce,
        uint256 expiryTimeS
    ) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(WITHDRAWAL_TYPEHASH, account, to, amountQuote, nonce, expiryTimeS)
        );
    }

    function indexPriceDigest(bytes32 domain, uint256 marketId, uint256 priceTicks, uint256 timeMs)
        internal
        pure
        returns (bytes32)
    {
        bytes32 structHash =
            keccak256(abi.encode(INDEX_PRICE_TYPEHASH, marketId, priceTicks, timeMs));
        return MessageHashUtils.toTypedDataHash(domain, structHash);
    }

    function batchDigest(
        bytes32 domain,
        uint256 sequence,
        uint256 epoch,
        bytes32 previousHash,
        bytes32 payloadHash
    ) internal pure returns (bytes32) {
        bytes32 structHash = keccak256(
            abi.encode(BATCH_TYPEHASH, sequence, epoch, previousHash, payloadHash)
        );
        return MessageHashUtils.toTypedDataHash(domain, structHash);
    }

    /// @notice Digest that is signed for a struct.
    function digest(bytes32 domain, bytes32 structHash) internal pure returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(domain, structHash);
    }

    /// @notice Signer of an EIP-2098 signature, zero when it is not valid. Low s only.
    function signer(bytes32 digest_, uint256 r, uint256 vs) internal pure returns (address) {
        uint256 s = vs << 1 >> 1;
        if (s > HALF_ORDER) return address(0);
        return ecrecover(digest_, uint8(27 + (vs >> 255)), bytes32(r), bytes32(s));
    }
}
