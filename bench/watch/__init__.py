"""What counting for drift takes of requests."""
