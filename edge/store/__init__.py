"""What is kept on the disk: a SQLite database that may break or be replaced, and its writer."""
