"""`edge bench`: how fast this machine answers, reported with what the machine is."""
