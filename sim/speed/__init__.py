"""How fast deltatrain itself is on a host: pieces of work, what they are compared with, and the baseline."""
