"""The embedded chain: Anvil where it is found, otherwise py-evm behind an HTTP server."""
