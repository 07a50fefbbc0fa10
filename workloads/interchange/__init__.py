"""Networks in and out: weights in the files of other tools, read without running anything that stands in them."""
