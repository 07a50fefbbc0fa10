"""The machine as gates, in Amaranth."""
