// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { Custody } from "./base/Custody.sol";
import { Desk } from "./base/Desk.sol";
import { SettlementViews } from "./base/SettlementViews.sol";

/// @title SettlementDesk
/// @notice Custody, cancellation and views, to be called through Settlement.
/// @dev The first of the desks, which are split off for the limit of code size only. Settlement
/// names it in its constructor and can never replace it. Called directly it finds an empty
/// storage.
contract SettlementDesk is Custody, SettlementViews {
    constructor(address next) Desk(next) { }
}
