// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { BatchTables } from "../base/BatchTables.sol";
import { Batch } from "../base/BatchWork.sol";

/// @title TablesHarness
/// @notice A batch's tables with items that make money or lots out of nothing: for tests of the last
/// checks, never deployed. It stands here because its code needs the compiler that src/ has.
contract TablesHarness is BatchTables {
    /// @notice Reads the tables, makes what is asked for, writes them.
    function commit(bytes calldata payload, int256 moneyMade, int256 lotsMade) external {
        Batch memory b = _load(payload);
        b.feesQuote += moneyMade;
        b.positions[0].position.positionLots += lotsMade;
        _commit(b);
    }
}
