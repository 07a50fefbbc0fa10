"""The tile on a bus: registers, memory, commands and sequences over AXI."""
