"""From the start of a process to its first answer, and the function on AWS's own runtime."""
