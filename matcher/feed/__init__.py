"""What leaves the sequencer: account events, market data and settlement items."""
