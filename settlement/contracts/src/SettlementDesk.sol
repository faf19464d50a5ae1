// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Custody } from "./base/Custody.sol";
import { Governance } from "./base/Governance.sol";
import { ICollateralVault } from "./interfaces/ICollateralVault.sol";

/// @title SettlementDesk
/// @notice Code of everything that is not about batches, to be called through Settlement.
/// @dev Split off for the limit of code size only. It is deployed by Settlement's constructor and
/// can never be replaced. Called directly it finds an empty storage without an owner.
contract SettlementDesk is Governance {
    constructor(ICollateralVault vault) Custody(vault) { }
}
