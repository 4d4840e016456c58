"""Readings come by MQTT, and their answers go by it."""
