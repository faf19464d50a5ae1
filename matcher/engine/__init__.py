"""The deterministic exchange: commands in, events out, nothing else."""
