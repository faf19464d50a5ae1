"""Everything that touches the chain: batches, attestor, relayer, watcher, reconciler."""
