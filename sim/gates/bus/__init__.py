"""What stands round a machine's bus in a simulation, as gates themselves: a memory, and a host's registers."""
