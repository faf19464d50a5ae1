// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { Address } from "@openzeppelin/contracts/utils/Address.sol";
import {
    ReentrancyGuardTransient
} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import { Batch } from "./base/BatchWork.sol";
import { ModuleProxy } from "./base/ModuleProxy.sol";
import { TradeItems } from "./base/TradeItems.sol";
import { CollateralVault } from "./CollateralVault.sol";
import { ISettlementBatch } from "./interfaces/ISettlement.sol";
import { Modules, VenueConfig, VenuePhase } from "./interfaces/ISettlementTypes.sol";
import { BatchImage } from "./libraries/BatchImage.sol";
import { BatchLib } from "./libraries/BatchLib.sol";
import { OrderLib } from "./libraries/OrderLib.sol";
import { RejectReason } from "./libraries/RejectReason.sol";
import { PaymentsModule } from "./PaymentsModule.sol";

/// @title Settlement
/// @notice Entry points of a batch: quorum, order of items, payments. Everything else is the code
/// of desks, reached by the fallback and run on this storage; see `ISettlement` for the whole.
contract Settlement is TradeItems, ReentrancyGuardTransient, ModuleProxy {
    uint256 private constant ATTESTOR_SIGNATURE_BYTES = 64;

    /// @notice Longest that a batch's clock may be ahead of its block.
    uint256 private constant CLOCK_AHEAD_BOUND_S = 15 minutes;

    /// @notice GOV-4: when a pause binds every batch, however far its clock is held back.
    uint256 private constant PAUSE_BACKLOG_S = 1 hours;

    /// @inheritdoc ISettlementBatch
    address public immutable DESK;

    /// @inheritdoc ISettlementBatch
    uint256 public immutable CLOCK_LAG_MAX_S;

    /// @dev Run by delegatecall, and not reachable by the fallback.
    address private immutable _payments;

    /// @param token collateral; fee-on-transfer tokens are refused at deposit
    /// @param owner who proposes changes (GOV-2)
    /// @param modules code that is run on this storage; it can never be replaced
    /// @param config delays and limits. Whoever dislikes a proposal has the time to leave before
    /// it is executed: a forced request and a withdrawal that waits take no longer.
    constructor(IERC20 token, address owner, Modules memory modules, VenueConfig memory config)
        TradeItems(config.clockAheadMaxS, modules.annex)
    {
        if (modules.desk.code.length == 0) revert DeskMissing(modules.desk);
        if (modules.payments.code.length == 0) revert DeskMissing(modules.payments);
        uint256 leavingS = uint256(config.delays.forcedS) + config.delays.withdrawalS;
        bool isLongEnough = config.delays.governanceS >= leavingS
            && config.delays.parametersS >= leavingS && config.delays.migrationS >= leavingS;
        if (!isLongEnough || config.limits.outflowWindowS == 0) revert DelaysInvalid();
        if (config.limits.outflowLimitPpm > 1_000_000) revert DelaysInvalid();
        if (config.limits.riskPauseNoticeS > 1 hours) revert DelaysInvalid();
        // BATCH-3: when requests may end the venue, nothing settles any more at an older clock.
        bool isClockBound = config.clockLagMaxS <= config.delays.forcedS
            && config.clockAheadMaxS <= CLOCK_AHEAD_BOUND_S;
        if (!isClockBound) revert DelaysInvalid();
        CLOCK_LAG_MAX_S = config.clockLagMaxS;
        DESK = modules.desk;
        _payments = modules.payments;
        _owner = owner;
        _delays = config.delays;
        _limits = config.limits;
        _status.vault = address(new CollateralVault(token));
    }

    /* SETTLEMENT */

    /// @inheritdoc ISettlementBatch
    function settle(bytes calldata payload, bytes[] calldata signatures) external nonReentrant {
        _settle(payload, signatures, true);
    }

    /// @inheritdoc ISettlementBatch
    function dryRun(bytes calldata payload, bytes[] calldata signatures) external {
        uint256 gasBefore = gasleft();
        bytes memory reasons = _settle(payload, signatures, signatures.length != 0);
        revert DryRunResult(gasBefore - gasleft(), reasons);
    }

    function _settle(bytes calldata payload, bytes[] calldata signatures, bool asksQuorum)
        private
        returns (bytes memory)
    {
        if (_status.phase == VenuePhase.EXIT) revert PhaseMismatch(VenuePhase.EXIT);
        uint256 pausedFromS = _status.riskPausedFromS;
        // Before the tables: memory costs more, the more of it is in use.
        bytes32 payloadHash = BatchLib.hash(payload);
        BatchImage.open();
        Batch memory b = _load(payload);
        b.isRiskPaused = pausedFromS != 0
            && (b.clockTimeS >= pausedFromS || block.timestamp >= pausedFromS + PAUSE_BACKLOG_S);
        bytes32 digest = _checkBatch(b, payloadHash);
        if (asksQuorum) _checkQuorum(b.header.epoch, digest, signatures);

        _judgeItems(b, payload);
        _commit(b);
        _lastBatchDigest = digest;
        _progress.sequence = uint64(b.header.sequence);
        _progress.clockTimeS = uint40(b.clockTimeS);
        emit BatchSettled(
            uint64(b.header.sequence), digest, uint32(b.header.items), uint32(b.rejected)
        );
        _creditRelayer(b);
        if (b.withdrawnQuote != 0) _payWithdrawals(b, payload);
        return b.reasons;
    }

    /// @notice BATCH-1, BATCH-3: sequence, epoch and clock.
    function _checkBatch(Batch memory b, bytes32 payloadHash) private view returns (bytes32) {
        Progress memory progress = _progress;
        uint256 expected = uint256(progress.sequence) + 1;
        if (b.header.sequence != expected) revert BatchSequence(expected, b.header.sequence);
        if (b.header.epoch != progress.epoch) {
            revert BatchEpoch(progress.epoch, b.header.epoch);
        }
        uint256 highestS = block.timestamp + CLOCK_AHEAD_MAX_S;
        uint256 lowestS = progress.clockTimeS;
        if (lowestS + CLOCK_LAG_MAX_S < block.timestamp) {
            lowestS = block.timestamp - CLOCK_LAG_MAX_S;
        }
        if (b.clockTimeS < lowestS || b.clockTimeS > highestS) {
            revert ClockOutOfRange(b.clockTimeS, lowestS, highestS);
        }
        return OrderLib.batchDigest(
            b.domain, b.header.sequence, b.header.epoch, _lastBatchDigest, payloadHash
        );
    }

    /// @notice At least `threshold` attestors of the epoch signed, each counted once.
    function _checkQuorum(uint256 epoch, bytes32 digest, bytes[] calldata signatures)
        private
        view
    {
        uint256 threshold = _progress.threshold;
        if (threshold == 0 || signatures.length < threshold) {
            revert QuorumMissing(threshold, signatures.length);
        }
        uint256 seen = 0;
        for (uint256 i = 0; i < signatures.length; ++i) {
            bytes calldata signature = signatures[i];
            if (signature.length != ATTESTOR_SIGNATURE_BYTES) {
                revert SignatureLength(signature.length);
            }
            address signer = OrderLib.signer(
                digest, BatchLib.wordAt(signature, 0), BatchLib.wordAt(signature, 32)
            );
            uint256 number = _attestors[epoch][signer];
            if (number == 0) revert AttestorUnknown(signer);
            if (seen >> number & 1 != 0) revert AttestorRepeated(signer);
            seen |= 1 << number;
        }
    }

    /// @notice BATCH-2: judges the items in order; the refused ones leave an event.
    function _judgeItems(Batch memory b, bytes calldata payload) private {
        uint256 offset = b.itemsOffset;
        uint256 items = b.header.items;
        uint256 i = 0;
        while (i < items) {
            uint256 word = BatchLib.wordAt(payload, offset);
            RejectReason reason;
            if (word >> 248 == BatchLib.FILL) {
                // One that ends behind the payload is found below.
                reason = _judgeFill(b, word);
                unchecked {
                    offset += BatchLib.FILL_BYTES;
                }
            } else if (BatchLib.isAnnex(word >> 248)) {
                (i, offset) = _runAnnex(b, payload, i, offset);
                continue;
            } else {
                uint256 end = BatchLib.itemEnd(payload, offset);
                reason = _judge(b, payload, offset, word);
                offset = end;
            }
            if (reason != RejectReason.NONE) _refuse(b, i, reason);
            unchecked {
                ++i;
            }
        }
        if (offset != payload.length) revert BatchLib.BatchMalformed(offset);
    }

    /// @notice Lets the annex judge a run of its items.
    /// @return i number of the first item behind the run
    /// @return end where that item starts
    function _runAnnex(Batch memory b, bytes calldata payload, uint256 first, uint256 offset)
        private
        returns (uint256 i, uint256 end)
    {
        i = first;
        end = offset;
        do {
            end = BatchLib.itemEnd(payload, end);
            ++i;
        } while (i < b.header.items && BatchLib.isAnnex(BatchLib.wordAt(payload, end) >> 248));
        BatchImage.run(ANNEX, payload, offset, end, first);
    }

    function _judge(Batch memory b, bytes calldata payload, uint256 offset, uint256 word)
        private
        returns (RejectReason)
    {
        uint256 opcode = word >> 248;
        if (opcode == BatchLib.PRICE) return _judgePrice(b, payload, offset, word);
        if (opcode == BatchLib.CLOCK) return _judgeClock(b, word);
        if (opcode == BatchLib.COLLATERAL) return _judgeCollateral(b, payload, offset, word);
        if (opcode == BatchLib.WITHDRAWAL) return _judgeWithdrawal(b, payload, offset, word);
        return _judgeFillAt(b, offset, word);
    }

    /* PAYMENTS */

    /// @notice RELAY-1: whoever submits a batch earns a fee, out of the pot and never from users.
    function _creditRelayer(Batch memory b) private {
        Relaying memory r = _relaying;
        uint256 accepted = b.header.items - b.rejected;
        uint256 feeQuote = uint256(r.batchFeeQuote) + uint256(r.itemFeeQuote) * accepted;
        if (feeQuote > r.feeMaxQuote) feeQuote = r.feeMaxQuote;
        if (feeQuote > r.potQuote) feeQuote = r.potQuote;
        if (feeQuote == 0) return;
        _relaying.potQuote = r.potQuote - uint80(feeQuote);
        _relaying.owedQuote = r.owedQuote + uint80(feeQuote);
        _relayerOwedQuote[msg.sender] += feeQuote;
        emit RelayerCredited(msg.sender, uint64(b.header.sequence), feeQuote);
    }

    /// @notice Pays the accepted withdrawals, after all effects of the batch.
    function _payWithdrawals(Batch memory b, bytes calldata payload) private {
        uint256 offset = b.itemsOffset;
        uint256 paidQuote = 0;
        for (uint256 i = 0; i < b.reasons.length; ++i) {
            uint256 word = BatchLib.wordAt(payload, offset);
            if (word >> 248 == BatchLib.WITHDRAWAL && b.reasons[i] == 0) {
                address account_ = b.accounts[uint16(word >> 232)].account;
                uint64 nonce = uint64(BatchLib.wordAt(payload, offset + 31) >> 192);
                uint256 amountQuote = uint64(word >> 168);
                bytes memory result = Address.functionDelegateCall(
                    _payments,
                    abi.encodeCall(
                        PaymentsModule.payOut,
                        (account_, address(uint160(word >> 8)), amountQuote, nonce)
                    )
                );
                paidQuote += abi.decode(result, (uint256));
            }
            offset = BatchLib.itemEnd(payload, offset);
        }
        _totals.custodyQuote -= uint80(paidQuote);
    }

    /* DESK */

    /// @dev Desk functions take no ether either, so none can be trapped here.
    receive() external payable {
        revert EtherRefused();
    }

    /// @dev Where the fallback delegates.
    function _implementation() internal view override returns (address) {
        return DESK;
    }
}
