"""Lambda's events, its log, and SQS queues."""
