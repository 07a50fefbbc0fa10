"""What a person looks at: tables and figures of results."""
