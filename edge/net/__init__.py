"""Connections to others: whose certificates are believed, deadlines, and MQTT brokers."""
