// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What a session key may do (KEY-1).
/// @param markets one bit a market, by the order of listing: bit 0 is the first listed
/// @param leverageMax largest leverage of an order that opens; 0: the key only reduces
/// @param dayNotionalMaxQuote largest notional that its orders trade in one day of the batch clock
/// @param expiryTimeS first instant at which the key is dead
struct SessionKeyScope {
    uint64 markets;
    uint8 leverageMax;
    uint64 dayNotionalMaxQuote;
    uint40 expiryTimeS;
}

/// @title The one storage word of a session key
/// @dev From the lowest bit: u64 markets | u64 dayNotionalMaxQuote | u64 usedQuote | u40
/// expiryTimeS | u16 day | u8 leverageMax. A word of zero is no key.
library SessionKeyLib {
    uint256 private constant DAY_S = 86_400;

    /// @notice The word of a key that was revoked: without a market, expired for ever. No signed
    /// message sets it again (KEY-2).
    uint256 internal constant REVOKED = 1 << 192;

    function pack(SessionKeyScope memory scope) internal pure returns (uint256) {
        return uint256(scope.markets) | uint256(scope.dayNotionalMaxQuote) << 64
            | uint256(scope.expiryTimeS) << 192 | uint256(scope.leverageMax) << 248;
    }

    function unpack(uint256 word)
        internal
        pure
        returns (SessionKeyScope memory scope, uint64 usedQuote, uint16 day)
    {
        scope.markets = uint64(word);
        scope.dayNotionalMaxQuote = uint64(word >> 64);
        scope.expiryTimeS = uint40(expiryTimeS(word));
        scope.leverageMax = uint8(leverageMax(word));
        usedQuote = uint64(word >> 128);
        day = uint16(word >> 232);
    }

    function expiryTimeS(uint256 word) internal pure returns (uint256) {
        return uint40(word >> 192);
    }

    function leverageMax(uint256 word) internal pure returns (uint256) {
        return word >> 248;
    }

    function admitsMarket(uint256 word, uint256 number) internal pure returns (bool) {
        return number < 64 && word >> number & 1 != 0;
    }

    /// @notice The word after trading a notional, 0 when that is more than the day admits.
    function use(uint256 word, uint256 notionalQuote, uint256 clockTimeS)
        internal
        pure
        returns (uint256)
    {
        uint256 day = uint16(clockTimeS / DAY_S);
        uint256 usedQuote = notionalQuote;
        if (uint16(word >> 232) == day) usedQuote += uint64(word >> 128);
        if (usedQuote > uint64(word >> 64)) return 0;
        uint256 kept =
            word & ~(uint256(type(uint64).max) << 128 | uint256(type(uint16).max) << 232);
        return kept | usedQuote << 128 | day << 232;
    }
}
