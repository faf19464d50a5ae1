// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { RejectReason } from "../libraries/RejectReason.sol";
import { SessionKeyScope } from "../libraries/SessionKeyLib.sol";
import { ICollateralVault } from "./ICollateralVault.sol";
import { IExitDesk } from "./IExitDesk.sol";
import { IGovernanceDesk } from "./IGovernanceDesk.sol";
import { IInsuranceDesk } from "./IInsuranceDesk.sol";
import {
    Health,
    MarketParams,
    MarketState,
    MarketTotals,
    PositionView,
    Tier,
    VenuePhase
} from "./ISettlementTypes.sol";

/// @title What the settlement contract says when it happens
interface ISettlementEvents {
    /// @notice Collateral was credited to an account's free balance.
    /// @param depositSeq one counter over all of them: 1, 2, 3 …
    event Deposited(address indexed account, uint256 amountQuote, uint64 indexed depositSeq);

    /// @notice A withdrawal of a batch was paid.
    event Withdrawn(
        address indexed account, address indexed to, uint256 amountQuote, uint64 nonce
    );

    /// @notice The token refused the payment; the amount is back in the free balance. The nonce
    /// stays consumed.
    event WithdrawalFailed(
        address indexed account, address indexed to, uint256 amountQuote, uint64 nonce
    );

    /// @notice A batch was settled.
    /// @param digest EIP-712 digest of the batch, `previousHash` of the next
    event BatchSettled(
        uint64 indexed sequence, bytes32 digest, uint32 itemCount, uint32 rejectedCount
    );

    /// @notice An item of a batch was refused and changed nothing.
    event ItemRejected(uint64 indexed sequence, uint32 itemIndex, RejectReason reason);

    /// @notice A withdrawal is large, or more than may leave at once: it waits (MONEY-3).
    /// @param id one counter over all withdrawals that wait: 1, 2, 3 …
    event WithdrawalWaits(
        uint256 indexed id,
        address indexed account,
        address indexed to,
        uint256 amountQuote,
        uint64 nonce,
        uint40 dueTimeS
    );

    /// @notice A withdrawal that waited was paid.
    event WithdrawalClaimed(
        uint256 indexed id, address indexed account, address indexed to, uint256 amountQuote
    );
    event WithdrawalRedirected(uint256 indexed id, address indexed to);
    event WithdrawalStretched(uint256 indexed id, uint40 dueTimeS);

    /// @notice Announced parameters hold from now on.
    event MarketParamsChanged(uint32 indexed marketId);

    /// @notice An owner has set what a session key may do; without a market it is revoked.
    event SessionKeySet(address indexed account, address indexed key, SessionKeyScope scope);

    /// @notice Whoever submitted a batch has a claim on a fee out of the relayers' pot.
    event RelayerCredited(address indexed relayer, uint64 indexed sequence, uint256 feeQuote);

    /// @notice A relayer's fees were paid.
    event RelayerPaid(address indexed relayer, address indexed to, uint256 amountQuote);

    event MarketListed(uint32 indexed marketId, MarketParams params, Tier[] tiers);
    event AttestorsSet(uint32 indexed epoch, address[] attestors, uint8 threshold);
    event OracleSignerSet(address indexed signer, bool allowed);
    event FeesCollected(address indexed to, uint256 amountQuote);
    event OwnershipOffered(address indexed owner, address indexed pendingOwner);
    event OwnershipTransferred(address indexed previousOwner, address indexed owner);
}

/// @title Why a call reverts
interface ISettlementErrors {
    error BatchEpoch(uint256 expected, uint256 epoch);
    error BatchSequence(uint256 expected, uint256 sequence);
    error ClockOutOfRange(uint256 timeS, uint256 lowestS, uint256 highestS);
    error QuorumMissing(uint256 threshold, uint256 signatures);
    error AttestorUnknown(address signer);
    error AttestorRepeated(address signer);
    error SignatureLength(uint256 length);
    error WalletGasMissing(uint256 gasLeft);
    error PaymentGasMissing(uint256 gasLeft);

    /// @notice A forced withdrawal of the account waits: it takes no deposit until that is served.
    error WithdrawalRequested(address account);
    error ConservationBroken(int256 createdQuote);
    error LotsSumBroken(uint256 marketId, int256 createdLots);
    error DryRunResult(uint256 gasUsed, bytes reasons);
    error AmountOutOfRange(uint256 amountQuote);
    error AccountReserved(address account);
    error TokenAmountMismatch(uint256 expectedQuote, uint256 receivedQuote);
    error NonceFloorNotRaised(uint64 current, uint64 requested);
    error MarketUnknown(uint32 marketId);
    error MarketAlreadyListed(uint32 marketId);
    error MarketParamsInvalid();
    error AttestorsInvalid();
    error CallerNotOwner(address caller);
    error CallerNotGovernance(address caller);
    error CallerNotGuardian(address caller);
    error CallerNotAccount(address caller);
    error PhaseMismatch(VenuePhase phase);
    error DelaysInvalid();
    error DeskMissing(address desk);
    error FunctionUnknown(bytes4 selector);
    error WithdrawalUnknown(uint256 id);
    error WithdrawalNotDue(uint256 id, uint256 dueTimeS);
    error WithdrawalStretchedBefore(uint256 id);
    error WithdrawalNotLarge(uint256 id);
    error EtherRefused();
}

/// @title What the settlement contract does with batches
interface ISettlementBatch is ISettlementEvents, ISettlementErrors {
    /* SETTLEMENT */

    /// @notice Settles one batch (BATCH-1). Items that break a rule are refused one by one.
    /// @param payload packed tables and items, section 5 of the specification
    /// @param signatures EIP-2098 signatures of the batch digest, in any order, each attestor once
    function settle(bytes calldata payload, bytes[] calldata signatures) external;

    /// @notice Settles and reverts with `DryRunResult`: gas used inside the call (without the
    /// transaction's own and calldata gas), and one byte per item, 0 or its `RejectReason`.
    /// @dev Without signatures the quorum is not asked: nothing of the batch can stay.
    function dryRun(bytes calldata payload, bytes[] calldata signatures) external;

    /* VIEWS */

    /// @notice The first of the desks: the code behind every function that is not about batches.
    function DESK() external view returns (address);

    /// @notice The code that judges the items that are seldom.
    function ANNEX() external view returns (address);

    /// @notice How far a batch's clock may be ahead of the block.
    function CLOCK_AHEAD_MAX_S() external view returns (uint256);

    /// @notice How far a batch's clock may be behind the block.
    function CLOCK_LAG_MAX_S() external view returns (uint256);
}

/// @title What the settlement contract does without batches
/// @notice Custody, cancellation and views. The code is `SettlementDesk`; the functions are called
/// on the settlement contract, which delegates them.
interface ISettlementDesk is ISettlementEvents, ISettlementErrors {
    /* CUSTODY */

    /// @notice Deposits collateral to the caller's free balance.
    function deposit(uint256 amountQuote) external;

    /// @notice Deposits the caller's collateral to another account's free balance.
    function depositFor(address account, uint256 amountQuote) external;

    /// @notice Deposits with an EIP-2612 permit of the caller in place of an approval.
    function depositWithPermit(
        address account,
        uint256 amountQuote,
        uint256 deadlineTimeS,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /* WITHDRAWALS THAT WAIT */

    /// @notice Pays a withdrawal that has waited long enough. Anybody.
    function claimWithdrawal(uint256 id) external;

    /// @notice Sends a withdrawal that waits elsewhere. Its account only.
    function redirectWithdrawal(uint256 id, address to) external;

    /// @notice Puts a withdrawal off by `withdrawalStretchS`, once. Guardian only.
    function stretchWithdrawal(uint256 id) external;

    /* RELAYERS */

    /// @notice Pays the caller's fees for submitting batches to `to` (RELAY-1).
    function claimRelayerFees(address to) external;

    /// @notice What a relayer may claim.
    function relayerOwedQuote(address relayer) external view returns (uint256);

    /// @notice What is left for fees of batches to come, and what all relayers may claim.
    function relayerPotQuote() external view returns (uint256 potQuote, uint256 owedQuote);

    /* SESSION KEYS */

    /// @notice KEY-2: sets what a session key of the caller may do, for all later batches; a scope
    /// without a market revokes the key.
    function setSessionKey(address key, SessionKeyScope calldata scope) external;

    /// @notice The scope of a session key, the notional that it has traded, and on which day.
    function sessionKey(address account_, address key)
        external
        view
        returns (SessionKeyScope memory scope, uint64 usedQuote, uint16 day);

    /* VIEWS */

    function phase() external view returns (VenuePhase);

    /// @notice A withdrawal that waits; zero account when there is none.
    function waitingWithdrawal(uint256 id)
        external
        view
        returns (address account_, address to, uint64 amountQuote, uint40 dueTimeS);

    /// @notice What may leave at once now, in quote units (MONEY-4).
    function outflowRoomQuote() external view returns (uint256);

    /// @notice How many withdrawals have ever waited: the last id.
    function waitingWithdrawals() external view returns (uint256);

    /// @notice Sum of the withdrawals that wait.
    function waitingQuote() external view returns (uint256);

    function account(address account_) external view returns (uint96 freeQuote, uint64 nonceFloor);
    function position(uint32 marketId, address account_)
        external
        view
        returns (PositionView memory);
    function market(uint32 marketId)
        external
        view
        returns (MarketState memory state, MarketTotals memory totals);
    function marketParams(uint32 marketId)
        external
        view
        returns (MarketParams memory params, Tier[] memory tiers);
    function marketIds() external view returns (uint32[] memory);

    /// @notice Lots filled under a nonce; 2^32 − 1 when it is cancelled or consumed.
    function filledLots(address account_, uint64 nonce) external view returns (uint32);
    function sequence() external view returns (uint64);
    function lastBatchDigest() external view returns (bytes32);
    function clockTimeS() external view returns (uint40);
    function attestorEpoch() external view returns (uint32 epoch, uint8 threshold);
    function isAttestor(uint32 epoch, address signer) external view returns (bool);
    function isOracleSigner(address signer) external view returns (bool);
    function depositSeq() external view returns (uint64);
    function fundingPoolQuote(uint32 marketId) external view returns (int256);
    function feesQuote() external view returns (uint256);
    function domainSeparator() external view returns (bytes32);
    function VAULT() external view returns (ICollateralVault);

    /// @notice CONS-2: sum of all positions of a market, always 0.
    function positionsSum(uint32 marketId) external view returns (int256);

    /// @notice Deposits less withdrawals and collected fees.
    function custodyQuote() external view returns (uint256);

    /// @notice What the vault holds beyond the custody: never negative, unless the token takes
    /// away balances. An alarm.
    function custodyGapQuote() external view returns (int256);

    /// @notice CONS-1, right side: free balances, fees, withdrawals that wait, and what each market
    /// holds, at least 0 (CONS-4). Always equal to `custodyQuote`, which the vault's balance covers.
    function liabilitiesQuote() external view returns (int256);

    /// @notice CONS-3: everything that monitoring has to see, in one call. Loops over markets only.
    function health() external view returns (Health memory);
}

/// @title Settlement of an isolated-margin venue
/// @notice Checks what an off-chain engine matched: signatures, limits, margin, liquidation
/// evidence. Anybody may submit a batch that a quorum of attestors signed.
interface ISettlement is
    ISettlementBatch,
    ISettlementDesk,
    IGovernanceDesk,
    IExitDesk,
    IInsuranceDesk
{ }
