"""Settlement's side of the wire: clients of the matcher and the attestor, and the RelayService."""
