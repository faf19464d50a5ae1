// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import { IIndexOracle } from "../interfaces/IIndexOracle.sol";
import { IAggregatorV3 } from "./IAggregatorV3.sol";
import { IPyth, PythPrice } from "./IPyth.sol";
import { SequencerGuard } from "./SequencerGuard.sol";

/// @title Index price from a Pyth-style source (ORACLE-3, ORACLE-4)
contract PythOracle is IIndexOracle, SequencerGuard {
    uint256 private constant PPM = 1_000_000;
    int256 private constant EXPONENT_MIN = -18;
    int256 private constant EXPONENT_MAX = 18;

    IPyth public immutable PYTH;
    bytes32 public immutable PRICE_ID;
    uint256 public immutable AGE_MAX_S;

    /// @notice Widest confidence interval, in ppm of the price.
    uint256 public immutable CONFIDENCE_MAX_PPM;

    /// @notice Ticks of a price of one. The price in ticks rounds down.
    uint256 public immutable TICKS_PER_UNIT;

    constructor(
        IPyth pyth,
        bytes32 priceId,
        uint256 ageMaxS,
        uint256 confidenceMaxPpm,
        uint256 ticksPerUnit,
        IAggregatorV3 sequencerFeed,
        uint256 sequencerGraceS
    ) SequencerGuard(sequencerFeed, sequencerGraceS) {
        PYTH = pyth;
        PRICE_ID = priceId;
        AGE_MAX_S = ageMaxS;
        CONFIDENCE_MAX_PPM = confidenceMaxPpm;
        TICKS_PER_UNIT = ticksPerUnit;
    }

    /// @inheritdoc IIndexOracle
    function indexPrice() external view returns (uint256 priceTicks, uint256 timeS) {
        _checkSequencer();
        PythPrice memory p = PYTH.getPriceNoOlderThan(PRICE_ID, AGE_MAX_S);
        bool isValid = p.price > 0 && p.expo >= EXPONENT_MIN && p.expo <= EXPONENT_MAX;
        if (!isValid) revert PriceInvalid(p.price);
        uint256 price = uint256(uint64(p.price));
        if (p.conf * PPM > price * CONFIDENCE_MAX_PPM) revert PriceUncertain(p.conf, price);
        priceTicks = p.expo < 0
            ? price * TICKS_PER_UNIT / 10 ** uint256(-int256(p.expo))
            : price * TICKS_PER_UNIT * 10 ** uint256(int256(p.expo));
        return (priceTicks, p.publishTime);
    }
}
