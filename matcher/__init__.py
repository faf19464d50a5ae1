"""The exchange process: gRPC gateway, sequencer, journal, engine and feeds."""
