// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

import { IGovernanceDesk } from "../src/interfaces/IGovernanceDesk.sol";
import { ISettlement, ISettlementErrors } from "../src/interfaces/ISettlement.sol";
import {
    Limits,
    MarketParams,
    Modules,
    Tier,
    VenueConfig,
    VenuePhase
} from "../src/interfaces/ISettlementTypes.sol";
import { RejectReason } from "../src/libraries/RejectReason.sol";
import { TierLib } from "../src/libraries/TierLib.sol";
import { Plan, SettlementTest } from "./utils/SettlementTest.sol";
import { vm } from "./utils/Vm.sol";

/// @notice GOV-1 … GOV-7: roles, proposals, announced parameters, migration.
contract GovernanceTest is SettlementTest {
    /* PROPOSALS */

    /// @dev GOV-3: proposed by the owner, executed by anybody, once, after the delay.
    function test_proposal_waitsAndIsExecutedByAnybody() public {
        bytes memory call = abi.encodeCall(settlement.setGuardian, (address(0x9)));
        bytes32 id = settlement.propose(call);
        assertEq(settlement.proposalDueTimeS(id), block.timestamp + 3 days, "due");
        vm.warp(block.timestamp + 3 days);
        vm.prank(address(0xa17));
        settlement.execute(call);
        assertTrue(settlement.guardian() == address(0x9), "executed");
        _expect(IGovernanceDesk.ProposalUnknown.selector, id);
        settlement.execute(call);
    }

    function test_RevertWhen_proposalIsNotDue() public {
        bytes memory call = abi.encodeCall(settlement.setGuardian, (address(0x9)));
        bytes32 id = settlement.propose(call);
        vm.warp(block.timestamp + 3 days - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IGovernanceDesk.ProposalNotDue.selector, id, block.timestamp + 1
            )
        );
        settlement.execute(call);
    }

    function test_RevertWhen_proposalHasExpired() public {
        bytes memory call = abi.encodeCall(settlement.setGuardian, (address(0x9)));
        bytes32 id = settlement.propose(call);
        uint256 end = block.timestamp + 17 days;
        vm.warp(end + 1);
        vm.expectRevert(abi.encodeWithSelector(IGovernanceDesk.ProposalExpired.selector, id, end));
        settlement.execute(call);
    }

    function test_RevertWhen_proposalIsPendingOrUnknown() public {
        bytes memory call = abi.encodeCall(settlement.setGuardian, (address(0x9)));
        bytes32 id = settlement.propose(call);
        _expect(IGovernanceDesk.ProposalPending.selector, id);
        settlement.propose(call);
        settlement.cancelProposal(id);
        _expect(IGovernanceDesk.ProposalUnknown.selector, id);
        settlement.cancelProposal(id);
        vm.warp(block.timestamp + 4 days);
        _expect(IGovernanceDesk.ProposalUnknown.selector, id);
        settlement.execute(call);
    }

    /// @dev What a proposal calls is refused for its own reason, and may be executed again later.
    function test_proposal_bubblesTheReason() public {
        bytes memory call = abi.encodeCall(settlement.setOracleSigner, (address(0), true));
        bytes32 id = settlement.propose(call);
        vm.warp(block.timestamp + 3 days);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.AccountReserved.selector, address(0))
        );
        settlement.execute(call);
        assertTrue(settlement.proposalDueTimeS(id) != 0, "still there");
    }

    /* ROLES */

    function test_RevertWhen_callerIsNotTheOwner() public {
        bytes memory refusal =
            abi.encodeWithSelector(ISettlementErrors.CallerNotOwner.selector, address(0xbad));
        vm.startPrank(address(0xbad));
        vm.expectRevert(refusal);
        settlement.propose("");
        vm.expectRevert(refusal);
        settlement.cancelProposal(0);
        vm.expectRevert(refusal);
        settlement.openVenue();
        vm.expectRevert(refusal);
        settlement.announceMarketParams(MARKET, marketParams(), tiers(), type(uint40).max);
        vm.expectRevert(refusal);
        settlement.announceMigration(address(settlement));
        vm.expectRevert(refusal);
        settlement.cancelMigration();
        vm.expectRevert(refusal);
        settlement.acceptOwnership();
        vm.stopPrank();
    }

    /// @dev Once the venue is open not even the owner changes anything without notice.
    function test_RevertWhen_governedFunctionIsCalledWithoutAProposal() public {
        _refusedTo(address(this));
        _refusedTo(address(0xbad));
    }

    /// @dev GOV-1.
    function test_setup_ownerConfiguresWithoutDelay() public {
        ISettlement other = deployVenue(token);
        assertTrue(other.phase() == VenuePhase.SETUP, "setup");
        vm.expectRevert(IGovernanceDesk.AttestorsMissing.selector);
        other.openVenue();
        bytes memory refusal =
            abi.encodeWithSelector(ISettlementErrors.PhaseMismatch.selector, VenuePhase.SETUP);
        vm.expectRevert(refusal);
        other.deposit(1);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.CallerNotGovernance.selector, address(0xbad))
        );
        vm.prank(address(0xbad));
        other.setGuardian(address(0xbad));
        other.setAttestors(1, _signers(1, false), 1);
        vm.expectRevert(IGovernanceDesk.OracleRuleInvalid.selector);
        other.openVenue();
        vm.expectRevert(IGovernanceDesk.OracleRuleInvalid.selector);
        other.setOracleRule(0, 10_000, 2000);
        vm.expectRevert(IGovernanceDesk.OracleRuleInvalid.selector);
        other.setOracleRule(1, 1_000_000, 2000);
        other.setOracleRule(1, 10_000, 2000);
        other.openVenue();
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.PhaseMismatch.selector, VenuePhase.OPEN)
        );
        other.openVenue();
    }

    function test_ownership_changesInTwoSteps() public {
        govern(abi.encodeCall(settlement.transferOwnership, (address(0xcafe))));
        assertTrue(settlement.owner() == address(this), "not yet");
        vm.prank(address(0xcafe));
        settlement.acceptOwnership();
        assertTrue(settlement.owner() == address(0xcafe), "now");
        assertTrue(settlement.pendingOwner() == address(0), "done");
    }

    /// @dev GOV-4: the flag that batches obey.
    function test_guardian_pausesAndResumes() public {
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.CallerNotGuardian.selector, address(this))
        );
        settlement.pauseRisk();
        vm.startPrank(GUARDIAN);
        settlement.pauseRisk();
        assertEq(settlement.riskPausedFromS(), block.timestamp + 30, "paused");
        vm.warp(block.timestamp + 10);
        settlement.pauseRisk();
        assertEq(
            settlement.riskPausedFromS(), block.timestamp + 20, "asking again puts nothing off"
        );
        settlement.resumeRisk();
        assertEq(settlement.riskPausedFromS(), 0, "resumed");
        settlement.pauseRisk();
        vm.stopPrank();
        vm.prank(address(0xbad));
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.CallerNotGuardian.selector, address(0xbad))
        );
        settlement.resumeRisk();
        settlement.resumeRisk();
        assertEq(settlement.riskPausedFromS(), 0, "the owner resumes");
    }

    /// @dev GOV-4: an operator that holds its clock back has an hour to settle what it had matched;
    /// then the pause binds whatever the header says.
    function test_pause_bindsAClockThatIsHeldBack() public {
        vm.prank(GUARDIAN);
        settlement.pauseRisk();
        uint40 before = uint40(block.timestamp);
        uint256 fromS = settlement.riskPausedFromS();
        vm.warp(fromS + 1 hours - 1);
        settleAccepted(_heldBack(before));
        vm.warp(fromS + 1 hours);
        settleRejected(_heldBack(before), RejectReason.RISK_PAUSED);
    }

    function _heldBack(uint40 clockTimeS) private returns (Plan memory p) {
        p = plan();
        p.clockTimeS = clockTimeS;
        addPrice(p, 1000, 1000);
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 1, 20_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 1, 20_000)), 1);
    }

    /// @dev GOV-5: bounds of what can be announced.
    function test_RevertWhen_announcedParametersAreOutOfBounds() public {
        uint40 effectiveTimeS = uint40(block.timestamp + 4 days);
        for (uint256 i = 0; i < 5; ++i) {
            MarketParams memory params = marketParams();
            if (i == 0) ++params.feeLiquidationPpm;
            if (i == 1) params.expiryTimeS = effectiveTimeS - 1;
            if (i == 2) params.indexAgeMaxMs = 999;
            if (i == 3) params.indexAgeMaxMs = 3_600_001;
            if (i == 4) params.fundingIntervalS = 0;
            vm.expectRevert(ISettlementErrors.MarketParamsInvalid.selector);
            settlement.announceMarketParams(MARKET, params, tiers(), effectiveTimeS);
        }
        MarketParams memory past = marketParams();
        past.expiryTimeS = uint40(block.timestamp - 1);
        _expectMarket(past, tiers(), ISettlementErrors.MarketParamsInvalid.selector);
    }

    /// @dev GOV-3: what is proposed before the venue opens would mature before anybody is there.
    function test_RevertWhen_proposedInSetup() public {
        ISettlement other = deployVenue(token);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.PhaseMismatch.selector, VenuePhase.SETUP)
        );
        other.propose("");
    }

    function test_RevertWhen_attestorsAreInvalid() public {
        ISettlement other = deployVenue(token);
        _expectAttestorsInvalid(other, 0, _signers(3, false), 2);
        _expectAttestorsInvalid(other, 2, _signers(3, false), 0);
        _expectAttestorsInvalid(other, 2, _signers(3, false), 4);
        _expectAttestorsInvalid(other, 2, _signers(2, true), 1);
        _expectAttestorsInvalid(other, 2, new address[](1), 1);
        other.setAttestors(2, _signers(3, false), 3);
        (uint32 epoch, uint8 threshold) = other.attestorEpoch();
        assertEq(epoch * 10 + threshold, 23, "set");
    }

    /// @dev GOV-2, GOV-6: the quorum rotates with a delay; until then the old one settles, from then on
    /// only the new one.
    function test_attestors_rotateWithDelay() public {
        settlement.propose(abi.encodeCall(settlement.setAttestors, (2, _signers(2, false), 2)));
        vm.warp(block.timestamp + 3 days);
        settleAccepted(plan());
        settlement.execute(abi.encodeCall(settlement.setAttestors, (2, _signers(2, false), 2)));
        Plan memory p = plan();
        bytes memory payload = encode(p);
        bytes[] memory signatures = attest(p, payload);
        vm.expectRevert(
            abi.encodeWithSelector(ISettlementErrors.AttestorUnknown.selector, vm.addr(ATTESTOR))
        );
        settlement.settle(payload, signatures);
    }

    /* MARKETS */

    function test_RevertWhen_marketIsListedTwiceOrOutOfRange() public {
        ISettlement other = deployVenue(token);
        other.listMarket(1, marketParams(), tiers());
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.MarketAlreadyListed.selector, 1));
        other.listMarket(1, marketParams(), tiers());
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.MarketUnknown.selector, 0));
        other.listMarket(0, marketParams(), tiers());
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.MarketUnknown.selector, 65_536));
        other.listMarket(65_536, marketParams(), tiers());
    }

    /// @dev NUM-1: the notional of the largest position must fit.
    function test_RevertWhen_marketParamsAreInvalid() public {
        MarketParams memory params = marketParams();
        params.quotePerTickLot = 1_152_922;
        params.fundingCapPpm = 0; // so that FUND-2 has nothing to say
        _expectMarket(params, tiers(), ISettlementErrors.MarketParamsInvalid.selector);
        params.quotePerTickLot = 1_152_921;
        govern(abi.encodeCall(settlement.listMarket, (76, params, tiers())));
        params.quotePerTickLot = 0;
        _expectMarket(params, tiers(), ISettlementErrors.MarketParamsInvalid.selector);
        params = marketParams();
        params.priceTicksMax = 1 << 27;
        _expectMarket(params, tiers(), ISettlementErrors.MarketParamsInvalid.selector);
        params = marketParams();
        params.fundingCapPpm = 1_000_000;
        _expectMarket(params, tiers(), ISettlementErrors.MarketParamsInvalid.selector);
        // FUND-2: a funding settlement of more than 2^50 a lot.
        params.quotePerTickLot = 1126;
        params.fundingCapPpm = 999_999;
        _expectMarket(params, tiers(), ISettlementErrors.MarketParamsInvalid.selector);
        params.quotePerTickLot = 1125;
        govern(abi.encodeCall(settlement.listMarket, (77, params, tiers())));
    }

    /// @dev MKT-1 and MKT-2.
    function test_RevertWhen_tiersAreInvalid() public {
        MarketParams memory params = marketParams();
        _expectMarket(params, new Tier[](0), TierLib.TierCountInvalid.selector);
        _expectMarket(params, new Tier[](17), TierLib.TierCountInvalid.selector);
        Tier[] memory list = tiers();
        list[0].notionalFloorQuote = 1;
        _expectMarket(params, list, TierLib.TierInvalid.selector);
        list = tiers();
        list[0].marginMaintenancePpm = 100_000;
        _expectMarket(params, list, TierLib.TierInvalid.selector);
        list = tiers();
        list[0].marginMaintenancePpm = 0;
        _expectMarket(params, list, TierLib.TierInvalid.selector);
        list = tiers();
        list[1].marginInitialPpm = 99_999;
        _expectMarket(params, list, TierLib.TierInvalid.selector);
        list = tiers();
        list[1].marginInitialPpm = 999_500;
        _expectMarket(params, list, TierLib.TierInvalid.selector);
        list = tiers();
        list[1].notionalFloorQuote = 0;
        _expectMarket(params, list, TierLib.TierInvalid.selector);
        list = tiers();
        list[1].notionalFloorQuote = 1_000_000_001;
        _expectMarket(params, list, TierLib.TierAmountInexact.selector);
    }

    function test_tiers_sixteenFit() public {
        Tier[] memory list = new Tier[](16);
        for (uint256 i = 0; i < 16; ++i) {
            list[i] = Tier(
                uint64(i * 1_000_000_000), uint24(100_000 + i * 10_000), uint24(50_000 + i * 5000)
            );
        }
        ISettlement other = deployVenue(token);
        other.listMarket(2, marketParams(), list);
        (, Tier[] memory read) = other.marketParams(2);
        assertEq(read.length, 16, "tiers");
    }

    function test_marketParams_readsBack() public view {
        (MarketParams memory params, Tier[] memory list) = settlement.marketParams(MARKET);
        bool same = keccak256(abi.encode(params)) == keccak256(abi.encode(marketParams()))
            && keccak256(abi.encode(list)) == keccak256(abi.encode(tiers()));
        assertTrue(same, "parameters");
        assertEq(settlement.marketIds().length, 1, "ids");
    }

    /* ANNOUNCED PARAMETERS */

    /// @dev GOV-5: nobody is measured by the new numbers before their time, and when no batch
    /// applies them, anybody does.
    function test_marketParams_changeOnlyAfterNotice() public {
        (MarketParams memory params, uint40 effectiveTimeS) = _announce();
        (uint40 announced,) = settlement.announcedMarketParams(MARKET);
        assertEq(announced, effectiveTimeS, "announced");
        vm.warp(effectiveTimeS + 1 hours - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IGovernanceDesk.AnnouncementNotDue.selector, MARKET, block.timestamp + 1
            )
        );
        settlement.applyMarketParams(MARKET);
        (MarketParams memory present,) = settlement.marketParams(MARKET);
        assertEq(present.positionLotsMax, marketParams().positionLotsMax, "not yet");
        vm.warp(effectiveTimeS + 1 hours);
        vm.prank(address(0xa17));
        settlement.applyMarketParams(MARKET);
        (present,) = settlement.marketParams(MARKET);
        assertEq(present.positionLotsMax, params.positionLotsMax, "now");
        vm.expectRevert(
            abi.encodeWithSelector(IGovernanceDesk.AnnouncementNotDue.selector, MARKET, 0)
        );
        settlement.applyMarketParams(MARKET);
    }

    function test_marketParams_laterAnnouncementReplaces() public {
        _announce();
        MarketParams memory params = marketParams();
        uint40 effectiveTimeS = uint40(block.timestamp + 30 days);
        settlement.announceMarketParams(MARKET, params, tiers(), effectiveTimeS);
        (uint40 announced, MarketParams memory waiting) = settlement.announcedMarketParams(MARKET);
        assertEq(announced, effectiveTimeS, "time");
        assertEq(waiting.positionLotsMax, params.positionLotsMax, "parameters");
    }

    function test_RevertWhen_announcementIsDueAlready() public {
        (, uint40 effectiveTimeS) = _announce();
        vm.warp(effectiveTimeS);
        vm.expectRevert(abi.encodeWithSelector(IGovernanceDesk.AnnouncementDue.selector, MARKET));
        settlement.announceMarketParams(MARKET, marketParams(), tiers(), type(uint40).max);
    }

    function test_RevertWhen_noticeIsTooShort() public {
        uint40 effectiveTimeS = uint40(block.timestamp + 4 days - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IGovernanceDesk.NoticeTooShort.selector, effectiveTimeS + 1, effectiveTimeS
            )
        );
        settlement.announceMarketParams(MARKET, marketParams(), tiers(), effectiveTimeS);
    }

    /// @dev GOV-5, PAR-1: what the engine's books and signed limits depend on stays.
    function test_RevertWhen_announcementBreaksTheMarket() public {
        MarketParams memory params = marketParams();
        params.quotePerTickLot += 1;
        vm.expectRevert(ISettlementErrors.MarketParamsInvalid.selector);
        settlement.announceMarketParams(MARKET, params, tiers(), type(uint40).max);
        for (uint256 i = 0; i < 3; ++i) {
            params = marketParams();
            if (i == 0) params.priceTicksMax -= 1;
            if (i == 1) params.feeMakerPpm += 1;
            if (i == 2) params.feeTakerPpm += 1;
            vm.expectRevert(ISettlementErrors.MarketParamsInvalid.selector);
            settlement.announceMarketParams(MARKET, params, tiers(), type(uint40).max);
        }
        vm.expectRevert(abi.encodeWithSelector(ISettlementErrors.MarketUnknown.selector, 9));
        settlement.announceMarketParams(9, params, tiers(), type(uint40).max);
    }

    /* MONEY */

    function test_collectFees_paysTheRecipientOnly() public {
        Plan memory p = plan();
        addPrice(p, 1000, 1000);
        uint16 taker = addOrder(p, ALICE, order(ALICE, BUY, 1000, 100, 200_000));
        addFill(p, taker, addOrder(p, BOB, order(BOB, SELL, 1000, 100, 200_000)), 100);
        settleAccepted(p);
        vm.prank(address(0xa17));
        settlement.collectFees();
        assertEq(token.balanceOf(address(0xfee)), 700, "paid");
        assertEq(settlement.feesQuote(), 0, "nothing left");
        assertSound();
    }

    function test_RevertWhen_feeRecipientIsMissing() public {
        ISettlement other = deployVenue(token);
        vm.expectRevert(IGovernanceDesk.FeeRecipientMissing.selector);
        other.collectFees();
    }

    function test_RevertWhen_limitsAreInvalid() public {
        ISettlement other = deployVenue(token);
        Limits memory limits = venueConfig().limits;
        limits.outflowLimitPpm = 1_000_001;
        vm.expectRevert(IGovernanceDesk.LimitsInvalid.selector);
        other.setLimits(limits);
        limits = venueConfig().limits;
        limits.outflowWindowS = 0;
        vm.expectRevert(IGovernanceDesk.LimitsInvalid.selector);
        other.setLimits(limits);
        limits.outflowWindowS = 367 days;
        vm.expectRevert(IGovernanceDesk.LimitsInvalid.selector);
        other.setLimits(limits);
        limits = venueConfig().limits;
        limits.depositMinQuote = 0;
        vm.expectRevert(IGovernanceDesk.LimitsInvalid.selector);
        other.setLimits(limits);
    }

    /// @dev MONEY-1: an account has a price, or the matcher's table is filled for nothing.
    function test_RevertWhen_theVenueOpensWithoutALeastDeposit() public {
        VenueConfig memory config = venueConfig();
        config.limits.depositMinQuote = 0;
        bytes memory arguments = abi.encode(token, address(this), deployModules(), config);
        ISettlement other = ISettlement(vm.deployCode("Settlement.sol:Settlement", arguments));
        other.setAttestors(1, _signers(1, false), 1);
        other.setOracleRule(1, 10_000, 2000);
        vm.expectRevert(IGovernanceDesk.LimitsInvalid.selector);
        other.openVenue();
        other.setLimits(venueConfig().limits);
        other.openVenue();
    }

    /* DEPLOYMENT */

    /// @dev GOV-2: no notice may be shorter than leaving takes.
    function test_RevertWhen_delaysAreTooShortToLeave() public {
        for (uint256 i = 0; i < 3; ++i) {
            VenueConfig memory config = venueConfig();
            if (i == 0) config.delays.governanceS = 3 days - 1;
            if (i == 1) config.delays.parametersS = 3 days - 1;
            if (i == 2) config.delays.migrationS = 3 days - 1;
            _expectNoVenue(config);
        }
        VenueConfig memory broken = venueConfig();
        broken.limits.outflowWindowS = 0;
        _expectNoVenue(broken);
        broken = venueConfig();
        broken.limits.outflowLimitPpm = 1_000_001;
        _expectNoVenue(broken);
        // BATCH-3: no clock is held back for longer than a request may wait, nor put ahead.
        broken = venueConfig();
        broken.clockLagMaxS = broken.delays.forcedS + 1;
        _expectNoVenue(broken);
        broken = venueConfig();
        broken.clockAheadMaxS = 15 minutes + 1;
        _expectNoVenue(broken);
    }

    function test_RevertWhen_deskHasNoCode() public {
        bytes memory refusal =
            abi.encodeWithSelector(ISettlementErrors.DeskMissing.selector, address(0xde5c));
        for (uint256 i = 0; i < 3; ++i) {
            Modules memory modules = deployModules();
            if (i == 0) modules.desk = address(0xde5c);
            if (i == 1) modules.payments = address(0xde5c);
            if (i == 2) modules.annex = address(0xde5c);
            _expectNoVenue(modules, venueConfig(), refusal);
        }
        bytes memory code = vm.getCode("GovernanceDesk.sol:GovernanceDesk");
        vm.expectRevert(refusal);
        this.create(bytes.concat(code, abi.encode(address(0xde5c))));
    }

    /* MIGRATION */

    /// @dev GOV-7.
    function test_migration_isAnnouncedAndTakenBack() public {
        ISettlement other = deployVenue(token);
        settlement.announceMigration(address(other));
        (address successor, uint40 effectiveTimeS) = settlement.migration();
        assertTrue(successor == address(other), "successor");
        assertEq(effectiveTimeS, block.timestamp + 21 days, "notice");
        vm.expectRevert(
            abi.encodeWithSelector(IGovernanceDesk.MigrationPending.selector, address(other))
        );
        settlement.announceMigration(address(other));
        settlement.cancelMigration();
        vm.expectRevert(IGovernanceDesk.MigrationUnknown.selector);
        settlement.cancelMigration();
    }

    function test_RevertWhen_successorIsInvalid() public {
        _expectSuccessorInvalid(address(0xbeef));
        _expectSuccessorInvalid(address(settlement));
        _expectSuccessorInvalid(
            address(deployVenue(IERC20(vm.deployCode("TestToken.sol:TestToken", ""))))
        );
    }

    /* HELPERS */

    function _announce() private returns (MarketParams memory params, uint40 effectiveTimeS) {
        params = marketParams();
        params.positionLotsMax = 500_000;
        effectiveTimeS = uint40(block.timestamp + 4 days);
        settlement.announceMarketParams(MARKET, params, tiers(), effectiveTimeS);
    }

    function _refusedTo(address caller) private {
        bytes memory refusal =
            abi.encodeWithSelector(ISettlementErrors.CallerNotGovernance.selector, caller);
        vm.startPrank(caller);
        vm.expectRevert(refusal);
        settlement.listMarket(2, marketParams(), tiers());
        vm.expectRevert(refusal);
        settlement.setAttestors(2, new address[](1), 1);
        vm.expectRevert(refusal);
        settlement.setOracleSigner(address(2), true);
        vm.expectRevert(refusal);
        settlement.setGuardian(caller);
        vm.expectRevert(refusal);
        settlement.setFeeRecipient(caller);
        vm.expectRevert(refusal);
        settlement.setOracleRule(1, 1, 1);
        vm.expectRevert(refusal);
        settlement.setIndexAdapter(MARKET, caller);
        vm.expectRevert(refusal);
        settlement.setLimits(venueConfig().limits);
        vm.expectRevert(refusal);
        settlement.transferOwnership(caller);
        vm.stopPrank();
    }

    function _signers(uint256 count, bool repeated) private pure returns (address[] memory list) {
        list = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            list[i] = vm.addr(repeated ? 77 : 77 + i);
        }
    }

    function _expect(bytes4 selector, bytes32 id) private {
        vm.expectRevert(abi.encodeWithSelector(selector, id));
    }

    function _expectAttestorsInvalid(
        ISettlement venue,
        uint32 epoch,
        address[] memory list,
        uint8 threshold
    ) private {
        vm.expectRevert(ISettlementErrors.AttestorsInvalid.selector);
        venue.setAttestors(epoch, list, threshold);
    }

    function _expectMarket(MarketParams memory params, Tier[] memory list, bytes4 selector)
        private
    {
        ISettlement other = deployVenue(token);
        (bool listed, bytes memory data) =
            address(other).call(abi.encodeCall(other.listMarket, (2, params, list)));
        assertTrue(!listed && bytes4(data) == selector, "refused for the reason");
    }

    function _expectNoVenue(VenueConfig memory config) private {
        bytes memory refusal = abi.encodeWithSelector(ISettlementErrors.DelaysInvalid.selector);
        _expectNoVenue(deployModules(), config, refusal);
    }

    function _expectNoVenue(
        Modules memory modules,
        VenueConfig memory config,
        bytes memory refusal
    ) private {
        bytes memory code = vm.getCode("Settlement.sol:Settlement");
        bytes memory arguments = abi.encode(token, address(this), modules, config);
        vm.expectRevert(refusal);
        this.create(bytes.concat(code, arguments));
    }

    /// @dev Creates a contract from its code, and reverts as its constructor does.
    function create(bytes memory code) external {
        assembly ("memory-safe") {
            if iszero(create(0, add(code, 32), mload(code))) {
                returndatacopy(0, 0, returndatasize())
                revert(0, returndatasize())
            }
        }
    }

    function _expectSuccessorInvalid(address successor) private {
        vm.expectRevert(
            abi.encodeWithSelector(IGovernanceDesk.SuccessorInvalid.selector, successor)
        );
        settlement.announceMigration(successor);
    }
}
