// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { RejectReason } from "../libraries/RejectReason.sol";
import { ExitMarket, ForcedRequest, RequestKind } from "./ISettlementTypes.sol";

/// @title What nobody can refuse: forced requests, and leaving a venue that does not serve them
interface IExitDesk {
    /// @param id 1, 2, 3 … over all kinds; batches serve them in this order
    event ForcedRequested(
        uint64 indexed id,
        address indexed account,
        RequestKind kind,
        uint32 marketId,
        uint64 amount,
        address to
    );

    /// @notice A batch has served the head of the queue.
    /// @param outcome NONE, or what of the account's own state left nothing to do
    event RequestServed(uint64 indexed id, RejectReason outcome);

    /// @notice The head of the queue needs a price that is not there: those behind it go on.
    event RequestSetAside(uint64 indexed id, RejectReason reason);
    event ExitEntered(uint40 timeS);

    /// @param indexTicks the one price of the market for all who leave
    event MarketExitStarted(uint32 indexed marketId, uint32 indexTicks);
    event PositionExited(
        uint32 indexed marketId, address indexed account, uint256 paidQuote, uint256 gainQuote
    );
    event ExitGainPaid(uint32 indexed marketId, address indexed account, uint256 amountQuote);
    event RequestReclaimed(uint64 indexed id, address indexed account, uint256 amountQuote);
    event ExitWithdrawn(address indexed account, address indexed to, uint256 amountQuote);
    event Migrated(address indexed account, address indexed successor, uint256 amountQuote);

    error RequestEmpty();
    error RequestWithoutMoney(uint64 id);
    error NonceRangeInvalid(uint64 firstNonce, uint64 lastNonce);
    error RequestsTooMany(address account);
    error AccountEmpty(address account);
    error ExitNotDue(uint256 dueTimeS);
    error RequestNotAside(uint64 id);
    error PositionMissing(uint32 marketId, address account);

    /// @notice A position's word cannot hold what it would become: positions of the other side have
    /// to leave before.
    error PositionOutOfRange(uint256 marketId, address account);
    error ExitPriceMissing(uint32 marketId);
    error AdapterGasMissing(uint256 gasLeft);
    error ExitOracleDown(uint32 marketId, uint256 fallbackTimeS);
    error ExitNotSettled(uint32 marketId, uint256 openPositions);
    error ExitGainMissing(uint32 marketId, address account);
    error FreeBalanceTooSmall(uint256 freeQuote, uint256 amountQuote);
    error MigrationNotDue();

    /* FORCED REQUESTS */

    /// @notice Asks that an order of the caller ends, or a move that is not settled yet.
    function requestCancel(uint64 nonce) external returns (uint64 id);

    /// @notice Asks that the orders of the caller with these nonces end, both ends included, at most
    /// 8 of them.
    function requestCancelRange(uint64 firstNonce, uint64 lastNonce) external returns (uint64 id);

    /// @notice Asks that every order of the caller with a nonce below `nonceFloor` ends.
    function requestCancelAll(uint64 nonceFloor) external returns (uint64 id);

    /// @notice Asks that the caller's position is reduced by `lots`, all when it has fewer.
    function requestReduce(uint32 marketId, uint64 lots) external returns (uint64 id);

    /// @notice Asks for a withdrawal; all of the free balance when it is less.
    function requestWithdrawal(uint64 amountQuote, address to) external returns (uint64 id);

    /// @notice Brings money that goes into a position (FORCE-4). Where the account has no such
    /// position by then it becomes free balance (FORCE-5).
    function depositToPosition(uint32 marketId, address account, uint64 amountQuote)
        external
        returns (uint64 id);

    /* EXIT */

    /// @notice EXIT-1: the operator has let a request wait too long, or a migration is due.
    function enterExitMode() external;

    /// @notice EXIT-1: a request that was set aside has been without a price for too long.
    function enterExitModeFor(uint64 requestId) external;

    /// @notice EXIT-3: closes one position against the insurance fund. Anybody.
    function exitPosition(uint32 marketId, address account) external;

    /// @notice The same for many, so that a market is soon empty. Who has none there is passed over:
    /// somebody may have been faster.
    function exitPositions(uint32 marketId, address[] calldata accounts) external;

    /// @notice EXIT-2: fixes a market's price, as the first who leaves it does. Anybody.
    function startExit(uint32 marketId) external;

    /// @notice EXIT-4: pays forgone profit, when all have left the market. Anybody.
    function claimExitGain(uint32 marketId, address account) external;

    /// @notice FORCE-5: what an unserved request has brought becomes the free balance of its account.
    /// Anybody.
    function reclaimRequest(uint64 requestId) external;

    /// @notice EXIT-5: takes free balance out.
    function exitWithdraw(uint256 amountQuote, address to) external;

    /// @notice GOV-7: takes free balance into the successor's contract.
    function migrate(uint256 amountQuote) external;

    /* VIEWS */

    /// @notice Ids of the last request served and of the last one made.
    function requestQueue() external view returns (uint64 served, uint64 made);
    function forcedRequest(uint64 id) external view returns (ForcedRequest memory);

    /// @notice How long the oldest request has been waiting; 0 when none waits.
    function queueAgeS() external view returns (uint256);

    /// @notice What requests that wait have brought (FORCE-5).
    function requestsQuote() external view returns (uint256);
    function exitMarket(uint32 marketId) external view returns (ExitMarket memory);
    function exitGainQuote(uint32 marketId, address account) external view returns (uint256);
}
