"""Readings that arrive by MQTT, answered by MQTT."""
