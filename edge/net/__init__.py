"""Outgoing connections: certificates, deadlines, and MQTT brokers."""
