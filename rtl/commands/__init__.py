"""Commands: what a unit is told, which ops it waits for, and what its cycles went into."""
