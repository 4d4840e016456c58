"""Record batches in, the answers of HTTP out, as columns: in memory, nothing of files."""
