"""The machine as data: what a described accelerator is, may be told to do, and reports."""
