"""What answers are scored by: one table of metrics for `train`, reports and manifests."""
