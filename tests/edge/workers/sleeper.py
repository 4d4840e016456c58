"""Stands where a worker's program does, and reads nothing."""

import time

time.sleep(60)
