"""Predict tables of any size: files here and in S3, on this machine or on an engine."""

from typing import Literal

OnError = Literal["null", "stop", "side"]  # what becomes of a row that can't be answered
