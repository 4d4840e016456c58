"""`edge bench`: how fast this machine answers, told with what the machine is."""
