"""What every part of the simulator stands on: the wire, the store, identifiers, time and money."""
