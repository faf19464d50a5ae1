// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { MessageHashUtils } from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import { OrderLib } from "../../src/libraries/OrderLib.sol";

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

/// @title The obvious way to the digests that OrderLib builds word by word
library OrderTwin {
    function orderHash(Order memory order) internal pure returns (bytes32) {
        return keccak256(abi.encode(OrderLib.ORDER_TYPEHASH, order));
    }

    function orderDigest(bytes32 domain, Order memory order) internal pure returns (bytes32) {
        return MessageHashUtils.toTypedDataHash(domain, orderHash(order));
    }
}
