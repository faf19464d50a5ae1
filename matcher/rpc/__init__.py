"""The server side of the wire: the only place of the matcher, but for its client, with gRPC."""
