"""Tests of each protocol: its codec with plain values, then the whole over every transport."""
