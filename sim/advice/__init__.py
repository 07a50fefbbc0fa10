"""What would make a run cheaper: each change is simulated by itself."""
