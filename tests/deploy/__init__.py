"""Deployments, against an emulator of AWS on this machine."""
