// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { MessageHashUtils } from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

/// @notice A trader's order, every field of it signed.
/// @param instructions the matcher's, opaque here: they are in the digest and nowhere else
struct Order {
    address account;
    uint32 marketId;
    uint8 side;
    uint8 timeInForce;
    bool postOnly;
    bool reduceOnly;
    uint64 priceTicks;
    uint64 qtyLots;
    uint64 marginQuote;
    uint32 feePpmMax;
    uint8 triggerKind;
    uint64 triggerPriceTicks;
    uint64 nonce;
    uint64 expiryTimeS;
    bytes32 instructions;
}

/// @title Signed messages (EIP-712), section 4 of the specification
library OrderLib {
    bytes32 internal constant DOMAIN_TYPEHASH = keccak256(
        "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    );
    bytes32 internal constant ORDER_TYPEHASH = keccak256(
        "Order(address account,uint32 marketId,uint8 side,uint8 timeInForce,bool postOnly,"
        "bool reduceOnly,uint64 priceTicks,uint64 qtyLots,uint64 marginQuote,uint32 feePpmMax,"
        "uint8 triggerKind,uint64 triggerPriceTicks,uint64 nonce,uint64 expiryTimeS,"
        "bytes32 instructions)"
    );
    bytes32 internal constant COLLATERAL_MOVE_TYPEHASH = keccak256(
        "CollateralMove(address account,uint32 marketId,int64 amountQuote,uint64 nonce,"
        "uint64 expiryTimeS)"
    );
    bytes32 internal constant WITHDRAWAL_TYPEHASH = keccak256(
        "Withdrawal(address account,address to,uint64 amountQuote,uint64 nonce,uint64 expiryTimeS)"
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

    function orderDigest(bytes32 domain, Order memory order) internal pure returns (bytes32) {
        return
            MessageHashUtils.toTypedDataHash(domain, keccak256(abi.encode(ORDER_TYPEHASH, order)));
    }

    function collateralMoveDigest(
        bytes32 domain,
        address account,
        uint256 marketId,
        int256 amountQuote,
        uint256 nonce,
        uint256 expiryTimeS
    ) internal pure returns (bytes32) {
        bytes32 structHash = keccak256(
            abi.encode(
                COLLATERAL_MOVE_TYPEHASH, account, marketId, amountQuote, nonce, expiryTimeS
            )
        );
        return MessageHashUtils.toTypedDataHash(domain, structHash);
    }

    function withdrawalDigest(
        bytes32 domain,
        address account,
        address to,
        uint256 amountQuote,
        uint256 nonce,
        uint256 expiryTimeS
    ) internal pure returns (bytes32) {
        bytes32 structHash = keccak256(
            abi.encode(WITHDRAWAL_TYPEHASH, account, to, amountQuote, nonce, expiryTimeS)
        );
        return MessageHashUtils.toTypedDataHash(domain, structHash);
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

    /// @notice Signer of an EIP-2098 signature, zero when it is not valid. Low s only.
    function signer(bytes32 digest, uint256 r, uint256 vs) internal pure returns (address) {
        (address recovered, ECDSA.RecoverError error_,) =
            ECDSA.tryRecover(digest, bytes32(r), bytes32(vs));
        return error_ == ECDSA.RecoverError.NoError ? recovered : address(0);
    }
}
