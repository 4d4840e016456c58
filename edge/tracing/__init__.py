"""Traces: which requests have one, their spans, and how these are sent (OpenTelemetry)."""
