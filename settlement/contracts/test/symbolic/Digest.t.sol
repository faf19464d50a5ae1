// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { OrderLib } from "../../src/libraries/OrderLib.sol";

/// @notice SIG-2, proved by Halmos: two messages of one digest are one message.
/// @dev Halmos takes keccak256 to be injective.
contract DigestSymbolicTest {
    function check_everyFieldOfAnOrderIsInTheDigest(
        bytes32 domain,
        address[2] memory account,
        uint32[2] memory marketId,
        uint256[2] memory head,
        uint256[2] memory tail,
        bytes32[2] memory instructions
    ) public pure {
        bytes32 x = _order(domain, account[0], marketId[0], head[0], tail[0], instructions[0]);
        bytes32 y = _order(domain, account[1], marketId[1], head[1], tail[1], instructions[1]);
        if (x != y) return;
        assert(account[0] == account[1] && marketId[0] == marketId[1]);
        assert(instructions[0] == instructions[1]);
        // What is not signed of the record: its position, who signs, the highest byte of tail.
        uint256 unsigned = uint256(0xffffffe0) << 224 | 0xff;
        assert((head[0] ^ head[1]) & ~unsigned == 0);
        assert((tail[0] ^ tail[1]) >> 176 == 0);
    }

    function check_theDomainIsInTheDigest(bytes32 x, bytes32 y, bytes32 structHash) public pure {
        if (OrderLib.digest(x, structHash) == OrderLib.digest(y, structHash)) assert(x == y);
    }

    function check_everyFieldOfAWithdrawalIsInTheDigest(
        bytes32 domain,
        address[2] memory account,
        address[2] memory to,
        uint64[2] memory amount,
        uint64[2] memory nonce,
        uint64[2] memory expiry
    ) public pure {
        bytes32 x = OrderLib.digest(
            domain, OrderLib.withdrawalHash(account[0], to[0], amount[0], nonce[0], expiry[0])
        );
        bytes32 y = OrderLib.digest(
            domain, OrderLib.withdrawalHash(account[1], to[1], amount[1], nonce[1], expiry[1])
        );
        if (x != y) return;
        assert(account[0] == account[1] && to[0] == to[1] && amount[0] == amount[1]);
        assert(nonce[0] == nonce[1] && expiry[0] == expiry[1]);
    }

    /// @dev A withdrawal is never an order, a move or a price: the type's hash is in front.
    function check_noDigestServesTwoTypes(
        bytes32 domain,
        uint256 head,
        address account,
        address to,
        uint64[3] memory number
    ) public pure {
        bytes32 x = _order(domain, account, uint32(number[0]), head, number[1], bytes32(0));
        bytes32 y = OrderLib.digest(
            domain, OrderLib.withdrawalHash(account, to, number[0], number[1], number[2])
        );
        bytes32 z = OrderLib.digest(
            domain,
            OrderLib.collateralMoveHash(
                account, number[0], int256(uint256(number[0])), number[1], number[2]
            )
        );
        assert(x != y && x != z && y != z);
    }

    function _order(
        bytes32 domain,
        address account,
        uint32 marketId,
        uint256 head,
        uint256 tail,
        bytes32 instructions
    ) private pure returns (bytes32) {
        bytes32[16] memory words;
        words[0] = OrderLib.ORDER_TYPEHASH;
        return OrderLib.digest(
            domain, OrderLib.hashOrder(words, account, marketId, head, tail, instructions)
        );
    }
}
