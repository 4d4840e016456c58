"""Around a request: limits, keys, compression, and the page to try models on."""
