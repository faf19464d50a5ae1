// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    ReentrancyGuardTransient
} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import { VenuePhase } from "../interfaces/ISettlementTypes.sol";
import { ModuleProxy } from "./ModuleProxy.sol";
import { SettlementStorage } from "./SettlementStorage.sol";

/// @title A part of the settlement contract's code
/// @notice A call that a desk does not know goes on to the next one; the last one refuses it.
/// @dev Runs on Settlement's storage. Called directly, a desk finds an empty storage: no owner, a
/// phase in which it takes no money, no vault.
abstract contract Desk is SettlementStorage, ReentrancyGuardTransient, ModuleProxy {
    /// @notice Where calls go that this desk does not know; zero at the end.
    address private immutable _next;

    constructor(address next) {
        if (next != address(0) && next.code.length == 0) revert DeskMissing(next);
        _next = next;
    }

    modifier onlyOwner() {
        if (msg.sender != _owner) revert CallerNotOwner(msg.sender);
        _;
    }

    /// @dev The settlement contract calls itself when it executes a proposal (GOV-3). Before the
    /// venue opens nobody has money in it, and the owner needs no notice.
    modifier onlyGovernance() {
        bool isSetup = _status.phase == VenuePhase.SETUP && msg.sender == _owner;
        if (msg.sender != address(this) && !isSetup) revert CallerNotGovernance(msg.sender);
        _;
    }

    modifier inPhase(VenuePhase phase) {
        if (_status.phase != phase) revert PhaseMismatch(_status.phase);
        _;
    }

    function _implementation() internal view override returns (address) {
        if (_next == address(0)) revert FunctionUnknown(msg.sig);
        return _next;
    }
}
