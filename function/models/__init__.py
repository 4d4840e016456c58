"""Model directories become sessions: versions, aliases, graphs from S3."""
