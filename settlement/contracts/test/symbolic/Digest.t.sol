// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Order, OrderLib } from "../../src/libraries/OrderLib.sol";

/// @notice SIG-2, proved by Halmos: two messages of one digest are one message.
/// @dev Halmos takes keccak256 to be injective.
contract DigestSymbolicTest {
    function check_everyFieldOfAnOrderIsInTheDigest(bytes32 domain, Order memory x, Order memory y)
        public
        pure
    {
        if (OrderLib.orderDigest(domain, x) != OrderLib.orderDigest(domain, y)) return;
        assert(keccak256(abi.encode(x)) == keccak256(abi.encode(y)));
        assert(x.account == y.account && x.marketId == y.marketId && x.side == y.side);
        assert(x.timeInForce == y.timeInForce && x.postOnly == y.postOnly);
        assert(x.reduceOnly == y.reduceOnly && x.priceTicks == y.priceTicks);
        assert(x.qtyLots == y.qtyLots && x.marginQuote == y.marginQuote);
        assert(x.feePpmMax == y.feePpmMax && x.triggerKind == y.triggerKind);
        assert(x.triggerPriceTicks == y.triggerPriceTicks && x.nonce == y.nonce);
        assert(x.expiryTimeS == y.expiryTimeS);
    }

    function check_theDomainIsInTheDigest(bytes32 x, bytes32 y, Order memory o) public pure {
        if (OrderLib.orderDigest(x, o) == OrderLib.orderDigest(y, o)) assert(x == y);
    }

    function check_everyFieldOfAWithdrawalIsInTheDigest(
        bytes32 domain,
        address[2] memory account,
        address[2] memory to,
        uint64[2] memory amount,
        uint64[2] memory nonce,
        uint64[2] memory expiry
    ) public pure {
        bytes32 x = OrderLib.withdrawalDigest(
            domain, account[0], to[0], amount[0], nonce[0], expiry[0]
        );
        bytes32 y =
            OrderLib.withdrawalDigest(domain, account[1], to[1], amount[1], nonce[1], expiry[1]);
        if (x != y) return;
        assert(account[0] == account[1] && to[0] == to[1] && amount[0] == amount[1]);
        assert(nonce[0] == nonce[1] && expiry[0] == expiry[1]);
    }

    /// @dev A withdrawal is never an order, a move or a price: the type's hash is in front.
    function check_noDigestServesTwoTypes(
        bytes32 domain,
        Order memory o,
        address account,
        address to,
        uint64[3] memory number
    ) public pure {
        bytes32 x = OrderLib.orderDigest(domain, o);
        bytes32 y = OrderLib.withdrawalDigest(domain, account, to, number[0], number[1], number[2]);
        bytes32 z = OrderLib.collateralMoveDigest(
            domain, account, number[0], int256(uint256(number[0])), number[1], number[2]
        );
        assert(x != y && x != z && y != z);
    }
}
