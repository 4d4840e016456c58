"""Tests of each dialect: its codec with plain values, then the whole over every transport."""
