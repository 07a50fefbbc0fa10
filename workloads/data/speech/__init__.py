"""Synthesised speech as a microphone in a room would hear it, and the features of it."""
