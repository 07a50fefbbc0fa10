"""The version of deltatrain: the build, results, journals and the page read it here."""

VERSION = "0.1.0"
