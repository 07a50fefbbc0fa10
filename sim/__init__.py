"""Running programs on the machine: fidelities, memory, energy, studies and the command line."""
