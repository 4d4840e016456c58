"""What several processes that serve on one port share: a link to each other, and numbers."""
