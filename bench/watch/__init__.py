"""What counting for drift takes."""
