"""Parts that several units share: queues, payloads, rounding."""
